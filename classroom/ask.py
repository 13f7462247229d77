"""The grader's side of a question: what it asks as plain data, and what the reply means.

A request is `{"ask": name, "args": […]}`, or without args to read a variable; a reply has a "value"
or an "error". Both are JSON, and nothing else crosses between a student's code and the checks.
"""

import numpy as np

from homework.checks import Made, Refused, Unanswered


class Ask:
    """`ask(name, *arguments)` and `ask.value(name)`, over a function that sends a request.

    `answered` tells whether there was any answer, `missing` names what is not defined at all and
    `open` what is not answered; `outside` tells whether a package, a file or memory was lacking,
    and `later` whether a later cell gives a better answer.
    """

    def __init__(self, send):
        self.send, self.answered, self.outside = send, False, False
        self.missing, self.open, self.later = [], [], False

    def __call__(self, name, *arguments, then=None):
        """What the student's function returns, or what `then` (name, …) makes of it inside."""
        request = {"ask": name, "args": [encoded(each) for each in arguments]}
        if then:
            request["then"] = [then[0], *(encoded(each) for each in then[1:])]
        return self._reply(request)

    def value(self, name):
        """What the student's variable holds."""
        return self._reply({"ask": name})

    def _reply(self, request):
        reply = self.send(request)
        if "value" in reply:
            self.answered = True
            return reply["value"]
        if reply.get("missing"):
            self.missing.append(request["ask"])
        elif reply.get("unanswered"):
            self.open.append(request["ask"])
        else:
            self.answered, self.outside = True, self.outside or bool(reply.get("outside"))
        raise (Unanswered if reply.get("unanswered") else Refused)(str(reply["error"]))


def encoded(value):
    """An argument as JSON that says what it was: an array, a tuple, something to be made inside."""
    if isinstance(value, np.ndarray):
        return {"array": value.tolist()}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Made):
        return {"make": value.name, "args": [encoded(each) for each in value.arguments]}
    if isinstance(value, tuple):
        return {"tuple": [encoded(each) for each in value]}
    return [encoded(each) for each in value] if isinstance(value, list) else value
