"""CPF and CNPJ, as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from provisioning.documents import parse_document
from tests.factories import cpf

VALID = {
    "CPF with punctuation": ("390.533.447-05", "person", "39053344705"),
    "CPF in digits": ("39053344705", "person", "39053344705"),
    "CNPJ with punctuation": ("11.222.333/0001-81", "company", "11222333000181"),
    "alphanumeric CNPJ": ("12.ABC.345/01DE-35", "company", "12ABC34501DE35"),
    "alphanumeric CNPJ in small letters": ("12abc34501de35", "company", "12ABC34501DE35"),
}
INVALID = {
    "nothing": "",
    "a wrong check digit": "390.533.447-06",
    "all digits alike": "111.111.111-11",
    "a CNPJ of zeroes": "00000000000000",
    "too short": "3905334470",
    "letters in a CPF": "39A53344705",
    "a wrong check digit in a CNPJ": "11222333000182",
    "a letter as check digit": "12ABC34501DE3A",
}


@pytest.mark.parametrize(("text", "kind", "number"), VALID.values(), ids=VALID.keys())
def test_valid_documents(text: str, kind: str, number: str) -> None:
    document = parse_document(text)
    assert (document.kind, document.number) == (kind, number)
    assert parse_document(document.formatted) == document


@pytest.mark.parametrize("text", INVALID.values(), ids=INVALID.keys())
def test_invalid_documents_name_field_rule_and_example(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_document(text)
    assert caught.value.field == "document"
    assert parse_document(str(caught.value.example)).kind == "person"


@given(st.integers(1, 999_999_998))
def test_each_made_cpf_is_valid_and_no_other_check_digits_are(number: int) -> None:
    text = cpf(number)
    if len(set(text)) > 1:
        assert parse_document(text).number == text
    other = text[:-1] + str((int(text[-1]) + 1) % 10)
    with pytest.raises(InvalidInput):
        parse_document(other)
