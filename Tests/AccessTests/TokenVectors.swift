/// Keys and tokens that `openssl` made: `ada` with `prices:read orders:write`, of `https://issuer.test` for `tickloop`,
/// good until the year 2096.
enum TokenVectors {
    /// The public keys, and one of a kind that is not known here.
    static let keys = #"""
        {"keys":[
        {"kty":"RSA","kid":"r","use":"sig","n":"wzUVvpwH4ArkOA2uyfjiLjWOlKKjvYq-Nid6hDQMjC6MByzda9wWRDvecQj2i-\#
        C6kUnHV7wUDkXE3QVFGEdaNCDzze21UzbY\#
        j7ZeHqSWOI9vgI27gMMxOu5bBOfkR_XRTz988HL2fnY0Z_nYb45P0vsqrVBHSPVzxNmfN3cLL9W160E6T0bIUhMefXQBAACt\#
        o5Nr1RdV3yKn6mSwfVWgeaZszq836dPBNvsNesVSN1VgZApqMj1DG1JqUkhSK6yrs4u2v3EdbMNGeVrTjFxeY-_f2djm3wj4\#
        mlWWCR_kKXH5HlBkKmA5BFB_Fq4pCuikDAbcru-tA1sJe9_lW4wzBw","e":"AQAB"},
        {"kty":"EC","kid":"e","crv":"P-256","alg":"ES256","x":"1gpz-20BmyQzUUpdR2j6aBQFW4eqRuNWwJzia6j5T9w","y\#
        ":"tFlZ7K80_epDXSi2Yxwy-PquqNfzt9O9GsDGNZWjaiE"},
        {"kty":"OKP","kid":"o","crv":"Ed25519","x":"6nloW-nyyhcb8gF03Wz9faX3gRkao6X_WEMe4kQCip8"},
        {"kty":"EC","kid":"other","crv":"P-521","x":"AA","y":"AA"}
        ]}
        """#

    static let rs256 = """
        eyJhbGciOiJSUzI1NiIsImtpZCI6InIiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lzc3Vlci50ZXN0IiwiYXVkI\
        joidGlja2xvb3AiLCJzdWIiOiJhZGEiLCJzY29wZSI6InByaWNlczpyZWFkIG9yZGVyczp3cml0ZSIsImV4cCI6NDAwMDAwM\
        DAwMH0.Zzl7Y9amXXL7g2Mo2gcwvU_asOq5057W9tXRsFx3Rc5pzn_Y5axfJTfZ7W29G05YYaNaevGZKMwJNCCV9VzO9vKQO\
        y3hs2eyY0aGRpU_swKZP885E2gz_Nrx_rTKcB09DlIJZfBwjhmNZ26S5AWMBjJW6aTm7MX3McCSkH1vBdXq7-17AkTOh7TZy\
        B2PKReCSfUapKGEwUuqNWYW4Vn4-lBc8BnGgGEV4tA_M0jHlIQMnTtuASIhppmRhK18ucL2A65jfaYWW5UROAfZAUUffrOli\
        Dv8Pi6c9GILDvG4sFoumLaC7eTk2Zj5Oh0oxS4JNRYs0Vd7txs8vfGQn50Pkw
        """

    static let es256 = """
        eyJhbGciOiJFUzI1NiIsImtpZCI6ImUiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lzc3Vlci50ZXN0IiwiYXVkI\
        joidGlja2xvb3AiLCJzdWIiOiJhZGEiLCJzY29wZSI6InByaWNlczpyZWFkIG9yZGVyczp3cml0ZSIsImV4cCI6NDAwMDAwM\
        DAwMH0.FuX1glrgFxmtJbXsJTL5VzcDXnIyGSv0JJ6KoO5lwlozY82kTjB-DOUNOGVeGBbUuJgI19OTLlogkNLaCkVx7g
        """

    static let edDSA = """
        eyJhbGciOiJFZERTQSIsImtpZCI6Im8iLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lzc3Vlci50ZXN0IiwiYXVkI\
        joidGlja2xvb3AiLCJzdWIiOiJhZGEiLCJzY29wZSI6InByaWNlczpyZWFkIG9yZGVyczp3cml0ZSIsImV4cCI6NDAwMDAwM\
        DAwMH0.YQu9wRsnERLjTw1o9Vv8FDEkiaQPWESH1WXWLuIHdg56q5NZzk3jPjlOTz6-I3YWLsfYj-8PydEnMtXS-WK-Aw
        """

    /// RFC 7515 §A.1, whose claims name no subject.
    static let rfc = """
        eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6\
        Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk
        """
    static let rfcKeys = """
        {"keys":[{"kty":"oct",\
        "k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}]}
        """
}
