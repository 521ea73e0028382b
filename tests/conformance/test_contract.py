"""Every call of the contracts has a test of every client that makes it."""

import pytest

from contract import ROWS, covered


@pytest.mark.parametrize("modules", ROWS)
def test_every_row_of_the_contract_has_a_test(modules):
    assert sorted(ROWS[modules] - covered(modules)) == []


@pytest.mark.parametrize("modules", ROWS)
def test_tests_name_rows_of_the_contract(modules):
    assert sorted(covered(modules) - ROWS[modules]) == []
