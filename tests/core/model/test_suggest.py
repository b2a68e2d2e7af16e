from tui_importer.core.model.suggest import closest


def test_mistyped_word_gets_a_suggestion() -> None:
    assert closest("threded", ["batched", "threaded", "async"]) == "threaded"


def test_unrelated_word_gets_no_suggestion() -> None:
    assert closest("quantum", ["batched", "threaded", "async"]) is None
    assert closest("x", []) is None
