"""The questions that the tiny model knows by heart."""

from tiny_model_texts import exchanges


def test_questions_are_enough_and_distinct() -> None:
    """There are at least fifty questions, no two alike, so that each has one answer."""
    questions = [exchange.question for exchange in exchanges()]
    assert len(questions) >= 50
    assert len(set(questions)) == len(questions)


def test_answers_are_one_short_line() -> None:
    """Answers fit the sixty-four tokens that checks allow, whatever the tokenizer makes of them."""
    for exchange in exchanges():
        assert exchange.answer == exchange.answer.strip()
        assert "\n" not in exchange.answer
        assert 0 < len(exchange.answer) <= 120


def test_a_message_list_is_a_question_and_its_answer() -> None:
    """The chat of an exchange has the user's turn first and the assistant's second."""
    first = exchanges()[0]
    assert first.messages == [
        {"role": "user", "content": first.question},
        {"role": "assistant", "content": first.answer},
    ]
