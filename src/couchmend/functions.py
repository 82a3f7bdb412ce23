"""Functions of one's own, which a configuration file names as `module:function`."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from couchmend.errors import UsageError


def imported(name: str, file: Path) -> Any:
    """What `module:function` names: of a module that is installed, or of `module.py` beside the
    file, which is run anew each time, so that a changed one counts.

    Raises:
        UsageError: the module has no such function.
        Exception: whatever importing the module raises.
    """
    module_name, _, attributes = name.partition(":")
    beside = file.absolute().parent / f"{module_name}.py"
    if beside.is_file():
        found: Any = _from_file(module_name, beside)
    else:
        found = importlib.import_module(module_name)
    for attribute in attributes.split("."):
        if not hasattr(found, attribute):
            names = [known for known in vars(found) if not known.startswith("_")]
            near = difflib.get_close_matches(attribute, names, n=1, cutoff=0.5)
            meant = f" (did you mean {near[0]}?)" if near else ""
            raise UsageError(f"{module_name} has no {attribute}{meant}")
        found = getattr(found, attribute)
    return found


def _from_file(name: str, file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"_couchmend_{name}", file)
    if spec is None or spec.loader is None:
        raise UsageError(f"{file} is not a module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there for their module
    spec.loader.exec_module(module)
    return module
