"""Orders: what POST /orders asks, and the three rows that each becomes, in one transaction, as ours does."""

import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Literal

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import BigInteger, DateTime, Integer, Numeric, Sequence, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import orjson

Price = Annotated[Decimal, Field(gt=0, max_digits=18, decimal_places=2)]


class NewOrder(BaseModel):
    model_config = ConfigDict(extra="forbid")

    type: Literal["market", "limit"]
    side: Literal["buy", "sell"]
    instrument: Annotated[str, Field(pattern="^[A-Za-z0-9]{12}$")]
    quantity: Annotated[int, Field(strict=True, ge=1, le=2**53 - 1)]
    limit_price: Price | None = None

    @model_validator(mode="after")
    def price_fits_type(self):
        if self.type == "limit" and self.limit_price is None:
            raise ValueError("Attribute `limit_price` is required for type `limit`")
        if self.type == "market" and self.limit_price is not None:
            raise ValueError("Providing a `limit_price` is prohibited for type `market`")
        return self


async def refuse_order(_: Request, error: RequestValidationError):
    details = [{"field": str(each["loc"][-1]), "message": each["msg"]} for each in error.errors()]
    content = {"code": "VALIDATION_FAILED", "message": "The order is not valid.", "details": details}
    return Response(orjson.dumps(content), 422, media_type="application/json")


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "peer_orders"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    type: Mapped[str] = mapped_column(Text)
    side: Mapped[str] = mapped_column(Text)
    instrument: Mapped[str] = mapped_column(Text)
    limit_price: Mapped[Decimal | None] = mapped_column(Numeric(18, 2))
    quantity: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Integer)


class Event(Base):
    __tablename__ = "peer_events"

    position: Mapped[int] = mapped_column(BigInteger, Sequence("peer_positions"), primary_key=True)
    order_id: Mapped[uuid.UUID] = mapped_column(Uuid)
    version: Mapped[int] = mapped_column(Integer)
    type: Mapped[str] = mapped_column(Text)
    data: Mapped[dict] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Message(Base):
    __tablename__ = "peer_outbox"

    id: Mapped[int] = mapped_column(BigInteger, Sequence("peer_messages"), primary_key=True)
    destination: Mapped[str] = mapped_column(Text)
    key: Mapped[uuid.UUID] = mapped_column(Uuid)
    payload: Mapped[dict] = mapped_column(JSONB)


def rows(new: NewOrder):
    """An order with its first event and the message that has it placed."""
    number, now = uuid.uuid4(), datetime.now(UTC)
    members = new.model_dump(exclude_none=True)
    if new.limit_price is not None:
        members["limit_price"] = float(new.limit_price)
    order = Order(id=number, created_at=now, status="pending", version=1, **new.model_dump())
    event = Event(order_id=number, version=1, type="OrderSubmitted", data=members, created_at=now)
    return order, event, Message(destination="exchange", key=number, payload={"order_id": str(number)} | members)


def answer(order: Order):
    content = {
        "id": str(order.id), "created_at": order.created_at.isoformat(), "type": order.type, "side": order.side,
        "instrument": order.instrument, "limit_price": order.limit_price and float(order.limit_price),
        "quantity": order.quantity, "status": order.status,
    }  # fmt: skip
    return Response(orjson.dumps(content), 201, {"Location": f"/orders/{order.id}"}, "application/json")
