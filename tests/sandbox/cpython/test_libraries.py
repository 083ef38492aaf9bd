"""NumPy's and pandas' values as results."""

from typing import Any

import pytest

from chidori_actors.sandbox.pool import WorkerPool
from tests.sandbox.executions import fault, value

from . import needs_cpython

pytestmark = [*needs_cpython, pytest.mark.asyncio(loop_scope="module")]

IMPORTS = "import numpy as np, pandas as pd\n"
MEMORY_MB = 1024

VALUES: dict[str, Any] = {
    "[np.int64(5), np.float32(1.5), np.bool_(True), np.str_('a'), np.array(7)]": [5, 1.5, True, "a", 7],
    "np.arange(4).reshape(2, 2)": [[0, 1], [2, 3]],
    "{'x': np.array([1.5, 2])}": {"x": [1.5, 2.0]},
    "np.array([(1, 2.5)], dtype='i4,f8')": [[1, 2.5]],
    "[np.datetime64('2024-01-02'), np.array(['2024-01-02T03:00:00.5'], 'datetime64[ns]')]": [
        "2024-01-02",
        ["2024-01-02T03:00:00.500000"],
    ],
    "pd.Series([1, 2], index=['a', 'b'])": [1, 2],
    "pd.Series([1, 2], index=['a', 'b']).to_dict()": {"a": 1, "b": 2},
    "pd.DataFrame({'n': [1, 2], 's': ['x', 'y']})": [{"n": 1, "s": "x"}, {"n": 2, "s": "y"}],
    "pd.DataFrame({'k': ['a', 'a'], 'v': [1, 2]}).groupby('k').v.sum().reset_index()": [{"k": "a", "v": 3}],
    "pd.DataFrame({'t': pd.to_datetime(['2024-01-02'])})": [{"t": "2024-01-02T00:00:00"}],
    "[pd.Timestamp('2024-01-02 03:04'), pd.Index([1, 2]), pd.Categorical(['a'])]": [
        "2024-01-02T03:04:00",
        [1, 2],
        ["a"],
    ],
}


@pytest.mark.parametrize("source", VALUES)
async def test_a_value_of_numpy_or_pandas_is_what_it_holds(source: str, cpython: WorkerPool) -> None:
    assert await value(cpython, "cpython", IMPORTS + source, memory_mb=MEMORY_MB) == VALUES[source]


REFUSED = {
    "{'x': np.array([[1.0, np.nan]])}": "the result['x'][0][1] is nan, which JSON cannot carry",
    "pd.DataFrame({'a': [1, None]})": "the result[1]['a'] is nan, which JSON cannot carry",
    "[pd.NaT]": "the result[0] is NaT, which JSON cannot carry",
    "[np.datetime64('NaT', 's')]": "the result[0] is or has NaT, which JSON cannot carry",
    "pd.Series([pd.NA])": "the result[0] is of type NAType, which JSON cannot carry",
    "np.array([1j])": "the result[0] is of type complex, which JSON cannot carry",
    "pd.Timedelta('1h')": "the result is of type Timedelta, which JSON cannot carry",
    "np.timedelta64(1, 'h')": "the result is of type timedelta, which JSON cannot carry",
    "pd.DataFrame({('a', 'b'): [1]})": "the result[0] has a key of type tuple; JSON takes texts",
}


@pytest.mark.parametrize("source", REFUSED)
async def test_what_json_cannot_carry_is_refused_with_its_place(source: str, cpython: WorkerPool) -> None:
    failed = await fault(cpython, "cpython", IMPORTS + source, memory_mb=MEMORY_MB)
    assert str(failed).startswith(REFUSED[source])
