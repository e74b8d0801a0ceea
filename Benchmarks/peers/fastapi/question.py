"""What GET /prices/average asks for, and what is answered if it is wrong: the same in the gateway and the API."""

from datetime import date
from re import compile

import orjson
from fastapi import Request, Response

RANGE_DAYS_MAX = 3660
DATE = compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
SYMBOL = compile(r"[A-Za-z0-9.^=-]{1,32}")


class Refused(Exception):
    """Becomes a response with a status that says whose fault it is."""

    def __init__(self, status, code, message, field=None):
        self.status = status
        self.content = {"code": code, "message": message}
        if field:
            self.content["details"] = [{"field": field, "message": message}]


async def refuse(_: Request, refused: Refused):
    return Response(orjson.dumps(refused.content), refused.status, media_type="application/json")


def invalid(code, field, demand):
    return Refused(400, code, f"{field} {demand}", field)


class Question:
    """Two days, both included, and perhaps a symbol."""

    __slots__ = ("start_date", "end_date", "symbol")

    def __init__(self, request: Request):
        parameters = {}
        for name, value in request.query_params.multi_items():
            if name not in self.__slots__:
                raise invalid("UNKNOWN_PARAMETER", name[:64], "is not a parameter of this route")
            if name in parameters:
                raise invalid("INVALID_PARAMETER", name, "must be given once")
            parameters[name] = value
        self.start_date = parameters.get("start_date")
        self.end_date = parameters.get("end_date")
        self.symbol = parameters.get("symbol")

        days = day("end_date", self.end_date) - day("start_date", self.start_date)
        if days.days < 0:
            raise invalid("INVALID_DATE_RANGE", "start_date", "must not be after end_date")
        if days.days >= RANGE_DAYS_MAX:
            raise invalid("INVALID_DATE_RANGE", "end_date", f"must be less than {RANGE_DAYS_MAX} days after start_date")
        if self.symbol is not None and not SYMBOL.fullmatch(self.symbol):
            raise invalid("INVALID_PARAMETER", "symbol", "must be 1 to 32 characters of A-Z a-z 0-9 . ^ = -")


def day(field, text):
    if not text:
        raise invalid("MISSING_PARAMETER", field, "is required")
    try:
        # fromisoformat() knows more forms than ours.
        if DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise invalid("INVALID_DATE", field, "must be a calendar date in the form YYYY-MM-DD")
