"""The kinds of value that sections of a configuration share, and how a short form is written out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic import GetCoreSchemaHandler as CoreHandler
from pydantic import GetJsonSchemaHandler as JsonHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

LARGEST_COUNT = 2**31 - 1  # what the 32-bit numbers on disk can hold


def wrong(message: str) -> PydanticCustomError:
    """Return the error for a value that is wrong; the binder adds what was found."""
    return PydanticCustomError("wrong_value", "{message}", {"message": message})


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value  # 1e5 steps


def _folder_name(name: str) -> str:
    if not name or name.startswith(".") or any(c in "/\\:" or not c.isprintable() for c in name):
        raise wrong("expected a name that a folder can have: printable, without / \\ : and no dot in front")
    return name


def _empty_to_mapping(value: object) -> object:
    return {} if value is None else value


Seed = Annotated[int, Field(ge=0, lt=2**63), BeforeValidator(_whole)]
Count = Annotated[int, Field(ge=1, le=LARGEST_COUNT), BeforeValidator(_whole)]
CountOrZero = Annotated[int, Field(ge=0, le=LARGEST_COUNT), BeforeValidator(_whole)]
VocabularySize = Annotated[int, Field(ge=5, le=LARGEST_COUNT), BeforeValidator(_whole)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
ShareOrAll = Annotated[float, Field(ge=0, le=1)]
Text = Annotated[str, Field(min_length=1)]
FolderName = Annotated[str, AfterValidator(_folder_name)]
EmptyIsNone = BeforeValidator(_empty_to_mapping)


class Section(BaseModel):
    """One mapping of the configuration file: frozen, no unknown keys, no silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_section(cls, value: object) -> object:
        return _empty_to_mapping(value)  # `decoding:` with every key commented out

    @model_validator(mode="after")
    def _keys_agree(self) -> Section:
        conflicts = [{"key": key, "message": message} for key, message in self.conflicts()]
        if conflicts:
            text = "; ".join(f"{conflict['key']}: {conflict['message']}" for conflict in conflicts)
            raise PydanticCustomError("conflicts", "{text}", {"text": text, "conflicts": conflicts})
        return self

    def conflicts(self) -> Iterator[tuple[str, str]]:
        """Give (key, what is wrong) for keys that are right alone and wrong together."""
        yield from ()


class Shorthand:
    """Lets a field be written in a short form, which ``expand`` turns into the full one."""

    def __init__(self, expand: Callable[[Any], object], short: Mapping[str, object]) -> None:
        self.expand = expand
        self.short = short

    def __get_pydantic_core_schema__(self, source: Any, handler: CoreHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.expand, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: JsonHandler) -> dict[str, Any]:
        return {"anyOf": [dict(self.short), handler(schema)]}


class OneOrMany:
    """Lets a tuple be written as a list or, when it has one item, as that item."""

    def __get_pydantic_core_schema__(self, source: Any, handler: CoreHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(
            self._expand,
            handler(source),
            serialization=core_schema.plain_serializer_function_ser_schema(self._shorten),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: JsonHandler) -> dict[str, Any]:
        many = handler(schema)
        return {"anyOf": [many["items"], {**many, "minItems": 1}]}

    @staticmethod
    def _expand(value: object) -> object:
        values = tuple(value) if isinstance(value, list | tuple) else (value,)
        if not values:
            raise wrong("expected at least one")
        return values

    @staticmethod
    def _shorten(values: tuple[Any, ...]) -> object:
        plain = [value.model_dump(mode="json") if isinstance(value, BaseModel) else value for value in values]
        return plain[0] if len(plain) == 1 else plain


Files = Annotated[tuple[Text, ...], OneOrMany()]
