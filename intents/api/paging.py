"""Lists in pages: at most `limit` entries behind the one named `after`."""

from typing import Annotated, Final

from fastapi import Query

PAGE_MAX: Final = 1_000

Limit = Annotated[int, Query(ge=1, le=PAGE_MAX, description="most entries in the answer")]
After = Annotated[str | None, Query(max_length=128, description="the entry behind which the answer begins")]
