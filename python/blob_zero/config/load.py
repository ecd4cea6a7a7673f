"""Configurations from files: presets, TOML with overrides, and errors that name what is allowed."""

import difflib
import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from blob_zero.config.schedule import NUMBER, SCHEDULE, Ramp
from blob_zero.config.schema import Config
from blob_zero.errors import ConfigError


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Reads a TOML file, apply overrides of the form `section.key=value`, and check the whole.

    Raises:
        ConfigError: the file cannot be read, a key is unknown, or a value is not allowed.
    """
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    for override in overrides:
        _apply_override(settings, override)
    return parse_config(settings, source=f"{path} with --set {' --set '.join(overrides)}" if overrides else str(path))


def parse_config(settings: Mapping[str, Any], *, source: str) -> Config:
    """Checks settings as read from TOML or JSON; `source` names them in the error.

    Raises:
        ConfigError: names each unknown key and each wrong value, and what is allowed instead.
    """
    try:
        return Config.model_validate(settings)
    except ValidationError as error:
        problems = [_describe(problem["type"], problem["loc"], problem["input"], problem["msg"])
                    for problem in error.errors()]  # fmt: skip
        raise ConfigError(f"{source}: " + "; ".join(problems)) from None


def presets() -> dict[str, Path]:
    """Name and file of every preset, as installed with the package, in alphabetical order."""
    folder = Path(str(resources.files("blob_zero.config"))) / "presets"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def preset_path(name: str) -> Path:
    """The file of a preset.

    Raises:
        ConfigError: there is none of that name.
    """
    known = presets()
    if name not in known:
        raise ConfigError(f"unknown preset {name!r}{_suggestion(name, known)}; presets: {', '.join(known)}")
    return known[name]


def preset_summary(path: Path) -> str:
    """The first comment line of a preset: what it is for, in one sentence."""
    return path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ").strip()


def differences(old: Config, new: Config) -> list[str]:
    """Differences of two configurations, one `section.key: old there, new here` for each key."""
    before, after = dict(_flat(old)), dict(_flat(new))
    return [
        f"{key}: {json.dumps(before[key])} there, {json.dumps(after[key])} here"
        for key in before
        if before[key] != after[key]
    ]


def to_toml(config: Config) -> str:
    """TOML that `load_config` reads back to an equal configuration; keys without a value are left out."""
    lines: list[str] = []
    for section, values in config.model_dump(mode="json").items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {toml_value(value)}" for key, value in values.items() if value is not None]
        lines.append("")
    return "\n".join(lines)


def toml_value(value: object) -> str:
    """A value as TOML writes it; JSON's numbers, booleans and strings are TOML's as well."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _flat(config: Config) -> Iterator[tuple[str, Any]]:
    for section, values in config.model_dump(mode="json").items():
        for key, value in values.items():
            yield f"{section}.{key}", value


def _apply_override(settings: dict[str, Any], override: str) -> None:
    """Sets one `section.key=value` in place. The value is TOML; a value that is not TOML is a string."""
    key, equals, text = override.partition("=")
    *sections, name = key.strip().split(".")
    if not equals or not sections or not all(sections) or not name:
        raise ConfigError(f"cannot read the setting {override!r}; it should look like training.epochs=5")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    table: Any = settings
    for section in sections:
        table = table.setdefault(section, {})
        if not isinstance(table, dict):
            raise ConfigError(f"{section} = {table!r}: should be a section of settings")
    table[name] = value


def _describe(kind: str, location: tuple[int | str, ...], value: object, message: str) -> str:
    """One problem of a configuration in words: where, what, and what would have been right."""
    key = ".".join(str(part) for part in location if part not in (NUMBER, SCHEDULE))
    if kind == "extra_forbidden":
        parent = _section_at(location[:-1])
        noun = "section" if len(location) == 1 else "setting"
        name = str(location[-1])
        return f"unknown {noun} {key}{_suggestion(name, parent)} (allowed: {', '.join(parent)})"
    if kind == "value_error":
        # Raised by a validator here; its message already names the values.
        return f"{key}: {message.removeprefix('Value error, ')}"
    return f"{key} = {value!r}: {message[:1].lower()}{message[1:]}"


def _section_at(location: tuple[int | str, ...]) -> list[str]:
    if SCHEDULE in location:
        return [field.alias or name for name, field in Ramp.model_fields.items()]
    model: type[BaseModel] = Config
    for part in location:
        if isinstance(part, int):  # an entry of a list, whose type is known already
            continue
        annotation = model.model_fields[part].annotation
        if get_origin(annotation) is tuple:
            annotation = get_args(annotation)[0]
        assert isinstance(annotation, type)
        assert issubclass(annotation, BaseModel)
        model = annotation
    return list(model.model_fields)


def _suggestion(name: str, known: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(name, list(known), n=1)
    return f", did you mean {nearest[0]!r}?" if nearest else ""
