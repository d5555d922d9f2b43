"""--user-dir: a package's name is enough, and the same package twice is no clash."""

from typing import Tuple

from .edit import Edit, Replace

INSTALLED_PACKAGE = '''\
def _package_dir(name):
    """Return the folder of the importable top-level package *name*, or None."""
    if not name.isidentifier():
        return None
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return os.path.abspath(list(spec.submodule_search_locations)[0])


def _is_package_at(module, path):
    """Tell whether the imported *module* is the package in the folder *path*."""
    return any(
        os.path.realpath(location) == os.path.realpath(path)
        for location in getattr(module, "__path__", ())
    )


def import_user_module(args):
'''

EDITS: Tuple[Edit, ...] = (
    Edit(
        name="user-dir-by-package-name",
        file="fairseq/utils.py",
        why="--user-dir deepnet_fairseq worked in one working directory only",
        changes=(
            Replace("import importlib\n", "import importlib\nimport importlib.util\n"),
            Replace("def import_user_module(args):\n", INSTALLED_PACKAGE),
            Replace(
                "                else:\n                    raise FileNotFoundError(module_path)\n",
                "                elif _package_dir(args.user_dir) is not None:\n"
                "                    module_path = _package_dir(args.user_dir)\n"
                "                else:\n"
                "                    raise FileNotFoundError(\n"
                '                        f"--user-dir {args.user_dir}: neither a folder nor an importable package"\n'
                "                    )\n",
            ),
        ),
    ),
    Edit(
        name="user-dir-imported-already",
        file="fairseq/utils.py",
        why="a package that was imported before fairseq saw --user-dir was called 'not globally unique'",
        changes=(
            Replace(
                "            elif module_path in sys.modules[module_name].__path__:\n",
                "            elif _is_package_at(sys.modules[module_name], module_path):\n",
            ),
        ),
    ),
)
