"""A statement out of the archive in which a platform ships it: Alipay's .zip as downloaded.

Alipay packs two tables, the single trades and their sums (汇总), under names in GBK that do not
say so. The sums are left aside; what is left must be one file, or staff have to choose.
"""

import io
import lzma
import zipfile
import zlib
from collections.abc import Sequence
from typing import Final

from django.utils.translation import gettext as _

from kit.spreadsheet_reading import MOST_BYTES, BrokenSheet

_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")  # The second one is an archive without files.
_MOST_RATIO: Final = 200  # Tables of digits shrink to a twentieth.
_SMALL: Final = 100_000
_UTF8_NAME: Final = 0x800
_ENCRYPTED: Final = 0x1
_SUMS: Final = "汇总"
_OF_A_WORKBOOK: Final = "[Content_Types].xml"  # An .xlsx is an archive too.
_UNREADABLE: Final = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError),
    *(OSError, RuntimeError, NotImplementedError),  # Of other packings, and of broken places.
)
_BESIDE: Final = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")


def unpacked(content: bytes) -> bytes:
    """The one statement in an archive; anything else stays as it is.

    Raises BrokenSheet with a sentence that says what to do.
    """
    if not content.startswith(_ZIP):
        return content
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if any(entry.filename == _OF_A_WORKBOOK for entry in entries):
                return content
            return _content(archive, _only_statement(entries))
    except _UNREADABLE as problem:
        raise BrokenSheet(
            _("The archive is damaged. Download it again, or unpack it and upload the file in it.")
        ) from problem


def _only_statement(entries: Sequence[zipfile.ZipInfo]) -> zipfile.ZipInfo:
    named = [(_name(entry), entry) for entry in entries if not entry.is_dir()]
    statements = [
        entry
        for name, entry in named
        if _SUMS not in name and not name.startswith(_BESIDE) and not name.endswith(_BESIDE)
    ]
    if not statements:
        raise BrokenSheet(
            _("The archive holds no statement. Upload the file with the single payments.")
        )
    if len(statements) > 1:
        raise BrokenSheet(
            _("The archive holds several files. Unpack it and upload them one by one.")
        )
    return statements[0]


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Unpacked no further than it may be: the size that an archive states may be a lie."""
    if entry.flag_bits & _ENCRYPTED:
        raise BrokenSheet(_("The archive has a password. Unpack it and upload the file in it."))
    most = min(MOST_BYTES, max(entry.compress_size * _MOST_RATIO, _SMALL))
    with archive.open(entry) as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise BrokenSheet(
            _("The file in the archive is too large. Download it for a shorter period.")
        )
    return content


def _name(entry: zipfile.ZipInfo) -> str:
    """Without a mark for UTF-8 a name was taken for one of an old PC; it is one in GBK."""
    if entry.flag_bits & _UTF8_NAME:
        return entry.filename
    return entry.filename.encode("cp437", "replace").decode("gbk", "replace")
