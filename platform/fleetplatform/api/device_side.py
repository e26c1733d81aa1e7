"""POST /v1/readings as the document has it: no route of the management API, but its sister."""

from typing import Any

from fleetplatform.wire.problems import MEDIA_TYPE, Problem, Rejection
from fleetplatform.wire.readings import ARROW_MEDIA_TYPE, JSON_MEDIA_TYPE
from fleetplatform.wire.resources.receipts import Receipt

TYPES = (Problem, Receipt)

_REFUSED = {
    "401": "No token, or none of a device.",
    "403": "The device is suspended, decommissioned or not active yet.",
    "413": "More bytes or readings than one request may hold.",
    "415": "A media type or encoding that is not taken.",
    "422": "The body cannot be read.",
    "429": "Too many readings wait already; come again after Retry-After.",
    "503": "The platform cannot answer now; come again after Retry-After.",
}
_CODES = ", ".join(one.code for one in Rejection if one is not Rejection.ACCEPTED)

_JSON: dict[str, Any] = {
    "type": "object",
    "required": ["readings"],
    "properties": {
        "readings": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["sensor", "t", "v"],
                "properties": {
                    "sensor": {
                        "type": "string",
                        "description": "id of a sensor, or its name in the device",
                    },
                    "t": {
                        "oneOf": [
                            {"type": "integer", "description": "µs since 1970"},
                            {"type": "string", "format": "date-time"},
                        ]
                    },
                    "v": {"type": "number"},
                    "m": {"type": "object", "description": "anything more about the reading"},
                },
            },
        }
    },
}
_ARROW = {
    "description": "An Arrow IPC stream: sensor_id fixed_size_binary[16], t timestamp[us, UTC],"
    " v float64, and optionally m, JSON in text.",
}

PATHS: dict[str, Any] = {
    "/v1/readings": {
        "post": {
            "operationId": "send_readings",
            "tags": ["readings"],
            "x-role": "device",
            "description": "Send readings, with the token of a device, or of a gateway for the"
            " devices behind it; answered only after commit. Sent again, a reading counts as a"
            " duplicate and changes nothing.",
            "parameters": [
                {
                    "name": "Content-Encoding",
                    "in": "header",
                    "required": False,
                    "schema": {"enum": ["gzip", "zstd", "identity"]},
                }
            ],
            "requestBody": {
                "required": True,
                "content": {
                    JSON_MEDIA_TYPE: {"schema": _JSON},
                    ARROW_MEDIA_TYPE: {"schema": _ARROW},
                },
            },
            "responses": {
                "200": {
                    "description": "What became of the readings. Codes of those that were not"
                    f" taken: {_CODES}.",
                    "content": {
                        JSON_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Receipt"}}
                    },
                },
                **{
                    status: {
                        "description": says,
                        "content": {
                            MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}
                        },
                    }
                    for status, says in _REFUSED.items()
                },
            },
        }
    }
}
