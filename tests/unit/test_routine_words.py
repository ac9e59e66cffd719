"""A routine's hours in words."""

from __future__ import annotations

import pytest

from provisioning.routines.schedule import make_schedule
from provisioning.routines.words import in_words

SIX = {"hours": [6], "minutes": [0]}


@pytest.mark.parametrize(
    ("fields", "pt", "en"),
    [
        pytest.param(SIX, "todo dia às 06:00", "every day at 06:00", id="daily"),
        pytest.param({"hours": [1], "minutes": [30]}, "todo dia à 01:30", "every day at 01:30", id="one o'clock"),
        pytest.param(
            {**SIX, "weekdays": [1, 2, 3, 4, 5]}, "segunda a sexta às 06:00", "Monday to Friday at 06:00", id="a row"
        ),
        pytest.param(
            {**SIX, "weekdays": [1, 3, 5]},
            "segunda, quarta e sexta às 06:00", "Monday, Wednesday and Friday at 06:00", id="no row",
        ),
        pytest.param(
            {**SIX, "weekdays": [6, 7]}, "sábado e domingo às 06:00", "Saturday and Sunday at 06:00", id="two days"
        ),
        pytest.param({**SIX, "days": [5]}, "dia 5 às 06:00", "day 5 at 06:00", id="a day of the month"),
        pytest.param(
            {**SIX, "days": [5, 20, -1]},
            "dias 5 e 20 e último dia do mês às 06:00", "days 5 and 20 and last day of the month at 06:00", id="days",
        ),
        pytest.param(
            {**SIX, "days": [10], "weekdays": [1]},
            "dia 10, se for segunda, às 06:00", "day 10, if it is Monday, at 06:00", id="both",
        ),
        pytest.param(
            {**SIX, "days": [10], "weekdays": [1, 3, 5]},
            "dia 10, se for segunda, quarta ou sexta, às 06:00",
            "day 10, if it is Monday, Wednesday or Friday, at 06:00", id="both, several",
        ),
        pytest.param(
            {**SIX, "months": [1, 7], "days": [-1]},
            "último dia do mês em janeiro e julho às 06:00", "last day of the month in January and July at 06:00",
            id="months",
        ),
        pytest.param(
            {"hours": [6, 18], "minutes": [0, 30]},
            "todo dia às 06:00, 06:30, 18:00 e 18:30", "every day at 06:00, 06:30, 18:00 and 18:30", id="several times",
        ),
        pytest.param(
            {"minutes": [0]}, "todo dia, a cada hora, minuto 00", "every day, every hour, minute 00", id="hourly"
        ),
        pytest.param(
            {"hours": [8, 9, 10, 11], "minutes": [5, 35]},
            "todo dia, às 8h, 9h, 10h e 11h, minutos 05 e 35", "every day, at 8h, 9h, 10h and 11h, minutes 05 and 35",
            id="many times",
        ),
        pytest.param(
            {"hours": [6]}, "todo dia, a cada minuto das 6h", "every day, every minute of 6h", id="no minute named"
        ),
        pytest.param({}, "todo dia, a cada minuto", "every day, every minute", id="every minute"),
    ],
)  # fmt: skip
def test_in_words(fields: dict[str, list[int]], pt: str, en: str) -> None:
    schedule = make_schedule(**fields)
    assert (in_words(schedule, "pt"), in_words(schedule, "en")) == (pt, en)
