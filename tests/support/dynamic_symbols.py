"""The dynamic symbols of a shared library in ELF, read without tools that a machine may lack."""

import pathlib
import struct

SHT_DYNSYM = 11
UNDEFINED_SECTION = 0


def imported_symbols(library: pathlib.Path) -> set[str]:
    """The names that a 64-bit little-endian ELF library takes from other libraries."""
    data = library.read_bytes()
    assert data[:6] == b"\x7fELF\x02\x01", f"{library} is no 64-bit little-endian ELF file"
    headers_at = struct.unpack_from("<Q", data, 0x28)[0]
    header_size, header_count = struct.unpack_from("<HH", data, 0x3A)
    # Of each section header: type, file offset, size, and the section that holds its strings.
    headers = [struct.unpack_from("<4xI16xQQI", data, headers_at + k * header_size) for k in range(header_count)]
    names = set()
    for kind, start, size, strings in headers:
        if kind != SHT_DYNSYM:
            continue
        text_at = headers[strings][1]
        for name, section in struct.iter_unpack("<I2xH16x", data[start : start + size]):
            if section == UNDEFINED_SECTION:
                end = data.index(b"\0", text_at + name)
                names.add(data[text_at + name : end].decode())
    return names - {""}
