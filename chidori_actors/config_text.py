"""Configuration as people write it, in JSON or YAML; a field given twice is a fault, since one would be lost."""

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import yaml


def parse_json_config(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is not JSON, is nested too deeply, or an object in it has a field twice.
    """
    try:
        return json.loads(text, object_pairs_hook=_object_of_distinct_keys)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def parse_yaml_config(text: str) -> Any:
    """The value of a YAML text, plain data only.

    Raises:
        ValueError: it is not YAML, is nested too deeply, or a mapping in it has a field twice.
    """
    import yaml  # only here: most runs have no YAML file

    try:
        _check_distinct_keys(yaml.compose(text, Loader=yaml.SafeLoader))
        return yaml.safe_load(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except yaml.MarkedYAMLError as error:
        place = "" if error.problem_mark is None else f" ({_place(error.problem_mark)})"
        raise ValueError(f"{error.problem or error.context}{place}") from error
    except yaml.YAMLError as error:
        raise ValueError(str(error).partition("\n")[0]) from error


def _object_of_distinct_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    built = dict(pairs)
    if len(built) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the field {next(key for key in keys if keys.count(key) > 1)!r} is given twice")
    return built


def _check_distinct_keys(root: "yaml.Node | None") -> None:
    import yaml

    waiting, seen = [root], set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)
        elif isinstance(node, yaml.MappingNode):
            keys: set[str] = set()
            for key, value in node.value:
                if key.value in keys:
                    raise ValueError(f"the field {key.value!r} is given twice ({_place(key.start_mark)})")
                if isinstance(key, yaml.ScalarNode):
                    keys.add(key.value)
                waiting.append(value)


def _place(mark: "yaml.Mark") -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}"
