"""What of an answer goes on to whoever sent a request with an Idempotency-Key."""

from litestar import Request

from fleetplatform.api.idempotency import _collect


async def test_an_answer_still_says_when_to_come_again():
    sent = [(b"content-type", b"application/problem+json"), (b"retry-after", b"1")]

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 503, "headers": sent})
        await send({"type": "http.response.body", "body": b"{}", "more_body": False})

    answer = await _collect(app, Request({"type": "http", "method": "POST", "headers": []}))
    assert (answer.status, answer.headers, answer.body) == (503, sent, b"{}")
