"""A step is tried once for each way in which things stand."""

from backpack.context.attempts import Attempts

from .talks import talk, user


def test_a_step_is_open_again_when_something_was_added() -> None:
    conversation = talk()
    following = conversation._following
    attempts = Attempts(following)
    assert attempts.is_open("fit")
    attempts.close("fit", following.generation)
    assert not attempts.is_open("fit")
    assert attempts.is_open("compress")
    conversation.add(user("more"))
    assert attempts.is_open("fit")


def test_a_step_of_another_generation_stays_open() -> None:
    following = talk()._following
    attempts = Attempts(following)
    attempts.close("fit", following.generation - 1)
    assert attempts.is_open("fit")
