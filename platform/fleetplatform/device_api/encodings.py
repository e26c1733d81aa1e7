"""Content-Encoding undone, with a limit on what comes out."""

import io
import zlib

import zstandard

from fleetplatform.device_api.refusal import too_large, unreadable, unsupported

_GZIP = zlib.MAX_WBITS | 16
_ZSTD_WINDOW_MAX = 32 * 1024 * 1024


def expand(body: bytes, encoding: bytes, size_max: int) -> bytes:
    """The body as it was before compression; raises Refusal (413, 415, 422)."""
    kind = encoding.strip().lower()
    if kind in (b"", b"identity"):
        return body
    if kind == b"gzip":
        return _expand_gzip(body, size_max)
    if kind == b"zstd":
        return _expand_zstd(body, size_max)
    raise unsupported(f"Content-Encoding {kind.decode('latin-1')!r}", "send gzip, zstd or none")


def _expand_gzip(body: bytes, size_max: int) -> bytes:
    """All members of a gzip stream (RFC 1952)."""
    expanded = b""
    while body:
        member = zlib.decompressobj(_GZIP)
        try:
            expanded += member.decompress(body, size_max - len(expanded) + 1)
        except zlib.error as error:
            raise unreadable(f"the body is not gzip: {error}") from error
        if len(expanded) > size_max:
            raise too_large(size_max, "an expanded body")
        if not member.eof:
            raise unreadable("the gzip body ends too early")
        body = member.unused_data
    return expanded


def _expand_zstd(body: bytes, size_max: int) -> bytes:
    """All frames of a zstd body (RFC 8878)."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_MAX)
    try:
        with decompressor.stream_reader(io.BytesIO(body), read_across_frames=True) as reader:
            expanded: bytes = reader.read(size_max + 1)
    except zstandard.ZstdError as error:
        raise unreadable(f"the body is not zstd: {error}") from error
    if len(expanded) > size_max:
        raise too_large(size_max, "an expanded body")
    return expanded
