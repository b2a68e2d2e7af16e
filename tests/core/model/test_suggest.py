from tui_importer.core.model.suggest import closest


def test_a_mistyped_word_is_known() -> None:
    assert closest("threded", ["batched", "threaded", "async"]) == "threaded"


def test_nothing_like_it_is_nothing() -> None:
    assert closest("quantum", ["batched", "threaded", "async"]) is None
    assert closest("x", []) is None
