"""Leaf tags for dates, times, durations and time zones."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from typing import Any, cast
from zoneinfo import ZoneInfo

from milepost.codec.form import RESERVED_KEY, Leaf, Malformed, Refused, expect_int, expect_list, expect_str, require

_ZONE_KEY = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*")


def _date(value: date) -> tuple[object, ...]:
    return (value.isoformat(),)


def _restore_date(text: object) -> date:
    value = date.fromisoformat(expect_str(text))
    require(value.isoformat() == text)
    return value


def _moment(value: datetime | time) -> tuple[object, ...]:
    return value.replace(tzinfo=None).isoformat(), value.fold, _zone(value.tzinfo)


def _restore_moment(kind: type[datetime | time], text: object, fold: object, zone: object) -> datetime | time:
    naive = kind.fromisoformat(expect_str(text))
    require(naive.isoformat() == text and naive.tzinfo is None and expect_int(fold) in (0, 1))
    return naive.replace(tzinfo=_restore_zone(zone), fold=expect_int(fold))


def _restore_datetime(text: object, fold: object, zone: object) -> datetime | time:
    return _restore_moment(datetime, text, fold, zone)


def _restore_time(text: object, fold: object, zone: object) -> datetime | time:
    return _restore_moment(time, text, fold, zone)


def _zone(zone: tzinfo | None) -> object:
    if zone is None:
        return None
    if type(zone) is timezone:
        return TIMEZONE.tag(zone)
    if type(zone) is ZoneInfo:
        return ZONEINFO.tag(zone)
    raise Refused(f"time zone of class {type(zone).__name__}; datetime.timezone and zoneinfo.ZoneInfo can be stored")


def _restore_zone(tag: Any) -> tzinfo | None:
    if tag is None:
        return None
    require(type(tag) is dict)
    kind = tag.get(RESERVED_KEY)
    require(kind in (TIMEZONE.name, ZONEINFO.name))
    zone: Any = (TIMEZONE if kind == TIMEZONE.name else ZONEINFO).untag(tag)
    return cast(tzinfo, zone)


def _timedelta(value: timedelta) -> tuple[object, ...]:
    return value.days, value.seconds, value.microseconds


def _restore_timedelta(days: object, seconds: object, microseconds: object) -> timedelta:
    value = timedelta(expect_int(days), expect_int(seconds), expect_int(microseconds))
    require(_timedelta(value) == (days, seconds, microseconds))
    return value


def _timezone(value: timezone) -> tuple[object, ...]:
    offset, *name = value.__getinitargs__()  # type: ignore[attr-defined]  # what pickle uses: (offset,) or with a name
    if name:
        try:
            name[0].encode()
        except UnicodeEncodeError:
            raise Refused("time zone whose name holds a lone surrogate") from None
    return list(_timedelta(offset)), name[0] if name else None


def _restore_timezone(offset: object, name: object) -> timezone:
    span = _restore_timedelta(*expect_list(offset))
    return timezone(span) if name is None else timezone(span, expect_str(name))


def _zoneinfo(value: ZoneInfo) -> tuple[object, ...]:
    if type(value.key) is not str or not _ZONE_KEY.fullmatch(value.key):
        raise Refused("ZoneInfo without a key of the time zone database")
    return (value.key,)


def _restore_zoneinfo(key: object) -> ZoneInfo:
    require(_ZONE_KEY.fullmatch(expect_str(key)) is not None)
    try:
        return ZoneInfo(expect_str(key))
    except (OSError, KeyError):  # a folder of the database, or no such zone in it
        raise Malformed("names a time zone that this machine's database lacks; install the tzdata package") from None


TIMEZONE = Leaf("timezone", (timezone,), ("offset", "name"), _timezone, _restore_timezone)
ZONEINFO = Leaf("zoneinfo", (ZoneInfo,), ("key",), _zoneinfo, _restore_zoneinfo)

TIMES: tuple[Leaf, ...] = (
    Leaf("datetime", (datetime,), ("value", "fold", "zone"), _moment, _restore_datetime),
    Leaf("date", (date,), ("value",), _date, _restore_date),
    Leaf("time", (time,), ("value", "fold", "zone"), _moment, _restore_time),
    Leaf("timedelta", (timedelta,), ("days", "seconds", "microseconds"), _timedelta, _restore_timedelta),
    TIMEZONE,
    ZONEINFO,
)
