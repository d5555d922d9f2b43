"""A YAML file with those that it extends, and its values by type.

Each error names the file and the key in one line.
"""

import logging
from pathlib import Path
from typing import Any, Dict, List, Optional

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from deepnet_fairseq.errors import RecipeError

SECTIONS = (
    *("extends", "work_dir", "data_dir", "directions", "tokens_per_update"),
    *("corpus", "cleaning", "vocabulary", "binarization", "training", "decoding", "evaluation"),
)

logger = logging.getLogger("deepnet_fairseq.config")


def find_config(path: Path) -> Path:
    """Return the path of a config, and its new path for a shipped one that is named by its old one.

    Until version 0.2, configs/NAME.yaml stands for configs/CORPUS/NAME.yaml, and for
    experiments/configs/NAME.yaml. A path that fits neither is returned as it is.
    """
    folder = path.parent
    if path.exists() or folder.resolve().name != "configs":
        return path
    moved = [*folder.glob(f"*/{path.name}"), folder / "../experiments/configs" / path.name]
    for new in filter(Path.is_file, moved):
        logger.warning("%s has moved to %s; use the new path", path, new)
        return new
    return path


def read_config(path: Path, seen: List[Path]) -> DictConfig:
    """Return the mapping in a file, merged over the one it extends.

    Args:
        path: The YAML file.
        seen: The files through which this one is extended.

    Raises:
        RecipeError: A file is missing, is no YAML mapping, or extends itself.
    """
    if path.resolve() in seen:
        raise RecipeError(f"{path}: extends itself, through {' -> '.join(p.name for p in seen)}")
    try:
        config = OmegaConf.load(path)
    except FileNotFoundError:
        by = f" (extended by {seen[-1]})" if seen else ""
        raise RecipeError(f"{path}: no such config file{by}") from None
    except (YAMLError, OmegaConfBaseException, OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: cannot be read as YAML: {error}") from error
    if not isinstance(config, DictConfig):
        raise RecipeError(f"{path}: must hold a mapping with the keys {', '.join(SECTIONS)}")
    parent = text_value(path, config, "extends")
    if not parent:
        return config
    base = read_config(find_config(path.parent / parent), [*seen, path.resolve()])
    kinds = [
        block.get("kind")
        for block in (base.get("corpus"), config.get("corpus"))
        if isinstance(block, DictConfig)
    ]
    if len(kinds) == 2 and None not in kinds and kinds[0] != kinds[1]:
        # the parent's languages or files mean nothing to a corpus of another kind
        base.corpus = {
            name: value for name, value in base.corpus.items() if name in ("pivot", "seed")
        }
    return OmegaConf.merge(base, config)


def text_value(path: Path, config: DictConfig, name: str) -> str:
    """Return a value that names a file or folder, or "" if the config has none."""
    try:
        value = config.get(name)
    except OmegaConfBaseException as error:
        raise RecipeError(f"{path}: {name}: {str(error).splitlines()[0]}") from error
    if value is not None and not isinstance(value, str):
        raise RecipeError(f"{path}: {name} is {value!r}; it must be one path")
    return value or ""


def section(path: Path, config: DictConfig, name: str) -> Dict[str, Any]:
    """Return a section of the config as plain Python with interpolations resolved."""
    try:
        block = config.get(name)
        if block is None:
            return {}
        if not isinstance(block, DictConfig):
            raise RecipeError(f"{path}: {name} is {block!r}; it must be a mapping")
        return OmegaConf.to_container(block, resolve=True)
    except OmegaConfBaseException as error:
        raise RecipeError(f"{path}: {error.full_key or name}: {error.msg or error}") from error


def structured(
    path: Path, config: DictConfig, name: str, schema: type, block: Optional[Dict[str, Any]] = None
) -> Any:
    """Return a section of the config as an instance of a dataclass.

    Args:
        path: The YAML file.
        config: Its content.
        name: The section.
        schema: The dataclass.
        block: The section's values, if they are not those of the config.
    """
    values = section(path, config, name) if block is None else block
    try:
        return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), values))
    except OmegaConfBaseException as error:
        key = f"{name}.{error.full_key}" if error.full_key else name
        reason = str(error.msg or error).splitlines()[0]
        raise RecipeError(f"{path}: {key}: {reason}") from error
    except ValueError as error:  # a dataclass that checks its own values
        raise RecipeError(f"{path}: {name}: {error}") from error


def reject_booleans(path: Path, value: Any, key: str) -> None:
    """Raise RecipeError for booleans in a corpus, which has none.

    YAML reads the language code `no` (Norwegian) as false.
    """
    if isinstance(value, dict):
        parts = [*value, *value.values()]
    else:
        parts = value if isinstance(value, list) else []
    if isinstance(value, bool) or any(isinstance(part, bool) for part in parts):
        raise RecipeError(f"{path}: {key}: write 'no' in quotes; YAML reads a bare no as false")
    for name, part in value.items() if isinstance(value, dict) else ():
        reject_booleans(path, part, f"{key}.{name}")
