"""The student's side of a question: call what the notebook has defined, and reply with plain data.

This runs where the student's code runs. It knows no check, no expected value and no points.
"""

import ctypes
import numbers
import os
import random
import sys
from json import dumps, loads

import numpy as np

from classroom.makers import MAKERS
from classroom.self_check import new_notebook
from helpers.example import kind, said

# What a student's own machine may have had: a package, a file, memory, a keyboard.
OUTSIDE = (ImportError, OSError, MemoryError, EOFError)


def answer(names, request):
    """The reply to a request, from the notebook's variables `names` {name: value}."""
    name = request["ask"]
    try:
        if name not in names:
            gone = {"unanswered": True, "missing": True}
            return {"error": f"{name} is not there: does a cell define it?"} | gone
        if names[name] is None:
            return {"error": f"{name} is not answered yet.", "unanswered": True}
        value = names[name]
        if "args" in request:
            arguments = [decoded(each, names) for each in request["args"]]
            _seed()
            value = value(*arguments)
            if value is None and "then" not in request:
                return {"error": f"{name} gives None: is a return missing?"}
            if "then" in request:
                how, *more = (decoded(each, names) for each in request["then"])
                value = THEN[how](value, arguments, *more)
        return {"value": plain(value)}
    except NotImplementedError:
        return {"error": f"{name} is not answered yet.", "unanswered": True}
    except Unplain as error:
        return {"error": f"{name} gives {error}."}
    except (Exception, SystemExit) as error:
        stops = {"error": f"{name} stops with {said(error, names)}"}
        return stops | {"outside": isinstance(error, OUTSIDE)}


def _seed():
    """Let every call draw the same: the checks compare calls with each other."""
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002 what a student's code may use
    if torch := sys.modules.get("torch"):
        torch.manual_seed(1)


class Unplain(Exception):
    """A value that is no number, no text, and not made of these; the message names its kind."""


def plain(value, depth=0):
    """A value as what JSON has: None, booleans, numbers, texts, and lists of these."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, np.bool_) or type(value).__name__ in ("BooleanTrue", "BooleanFalse"):
        return bool(value)  # also sympy's
    if isinstance(value, complex):
        value = np.complex128(value)
    if depth > 8:
        raise Unplain("lists in lists that are too deep")
    if isinstance(value, (set, frozenset)):
        value = sorted(value, key=str)
    if isinstance(value, (list, tuple)):
        return [plain(each, depth + 1) for each in value]
    if hasattr(value, "detach"):
        value = value.detach()
    if hasattr(value, "__array__") or isinstance(value, np.generic):
        array = np.asarray(value)
        if array.dtype.kind == "c" and not np.any(array.imag):
            array = array.real
        if array.dtype.kind in "biufU":
            return array.tolist()
        if array.dtype.kind == "O":
            return plain(array.tolist(), depth + 1)
    if isinstance(value, numbers.Real) or hasattr(value, "__float__"):
        try:
            return float(value)
        except (TypeError, ValueError):
            pass
    raise Unplain(kind(value))


def decoded(value, names):
    """An argument as the grader meant it."""
    if isinstance(value, list):
        return [decoded(each, names) for each in value]
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return np.array(value["array"])
    if "tuple" in value:
        return tuple(decoded(each, names) for each in value["tuple"])
    arguments = [decoded(each, names) for each in value["args"]]
    if value["make"] in NETS:
        return NETS[value["make"]](names, *arguments)
    return MAKERS[value["make"]](*arguments)


def torch_outputs(net, arguments, weights, X):
    """[number of parameters, outputs for rows X] of a PyTorch net with these weights."""
    import torch

    if not isinstance(net, torch.nn.Module):
        raise Unplain(f"{kind(net)}, and no torch.nn.Module")
    count = sum(parameter.numel() for parameter in net.parameters())
    return [count, _torch_run(_with_weights(net, weights), X)]


def keras_outputs(net, arguments, weights, X):
    """The same of a Keras net, which keeps its matrices the other way round."""
    _demand_keras(net)
    count = int(sum(np.prod(w.shape) for w in net.weights))
    net.set_weights([np.asarray(w).T for w in weights])
    return [count, net(np.asarray(X, dtype="float32")).numpy()]


def both_outputs(value, arguments, X):
    """What two nets give for rows X after a function of them has run."""
    source, target = arguments
    _demand_keras(target)
    return [_torch_run(source, X), target(np.asarray(X, dtype="float32")).numpy()]


def _demand_keras(net):
    import keras

    if not isinstance(net, keras.Model):
        raise Unplain(f"{kind(net)}, and no keras.Model")


def _torch_run(net, X):
    import torch

    return net(torch.tensor(np.asarray(X), dtype=torch.float32)).detach().numpy()


def _with_weights(net, weights):
    import torch

    for parameter, values in zip(net.parameters(), weights, strict=True):
        parameter.data = torch.tensor(np.asarray(values), dtype=torch.float32)
    return net


def _torch_net(names, widths, weights):
    return _with_weights(names["torch_net"](widths), weights)


def _keras_net(names, widths):
    return names["keras_net"](widths)


THEN = {each.__name__: each for each in (torch_outputs, keras_outputs, both_outputs)}
NETS = {"torch_net": _torch_net, "keras_net": _keras_net}


def main():
    """Run the cells and answer the requests that come in, a line each, with a line each.

    The two pipes go to descriptors of their own first: what cells print goes nowhere. This module
    keeps names of its own for what it uses, since cells may put something else into `json`. A
    process that a cell has forked does not get to reply.
    """
    asked, told, own = os.fdopen(os.dup(0), "r"), os.fdopen(os.dup(1), "w"), os.getpid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    first = loads(asked.readline())
    _limit(first["processes"], first["memory"])
    _leave_the_keys()
    run, names = new_notebook()
    for line in asked:
        request = loads(line)
        if "run" in request:
            error = run(request["run"])
            reply = {"value": "" if error is None else said(error, names)[:1_000]}
        else:
            reply = answer(names, request)
        if os.getpid() != own:
            os._exit(0)
        print(dumps(reply | {"n": request["n"]}), file=told, flush=True)


def _leave_the_keys():
    """Join an empty keyring: the grader's own, and its keys, would be this process's, too."""
    number = {"x86_64": 250, "aarch64": 219}.get(os.uname().machine) if os.name == "posix" else None
    if number and sys.platform == "linux":
        ctypes.CDLL(None).syscall(number, 1, None)


def _limit(processes, memory):
    try:
        import resource
    except ImportError:  # on Windows
        return
    bounds = {"DATA": memory, "NPROC": processes, "NOFILE": 64, "FSIZE": 64 * 2**20, "CORE": 0}
    for name, most in bounds.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, most))


if __name__ == "__main__":
    main()
