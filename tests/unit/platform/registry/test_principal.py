"""Who asks: what they may give, and who they are."""

from itertools import product
from uuid import UUID

import pytest

from fleetplatform.database.tenancy import Tenant
from fleetplatform.errors import ForbiddenError
from fleetplatform.registry.organizations import Principal, Role, check_may_give

SOMEBODY = UUID(int=1)


@pytest.mark.parametrize(("own", "given"), list(product(Role, Role)))
def test_nobody_gives_a_role_above_their_own(own: Role, given: Role) -> None:
    principal = Principal(Tenant(SOMEBODY), own)
    if given <= own:
        check_may_give(principal, given.name.lower())
        return
    with pytest.raises(ForbiddenError) as caught:
        check_may_give(principal, given.name.lower())
    assert caught.value.code == "role_too_high"


def test_a_user_is_known_by_the_actor() -> None:
    assert Principal(Tenant(SOMEBODY, f"user:{SOMEBODY}"), Role.VIEWER).user_id == SOMEBODY
    assert Principal(Tenant(SOMEBODY, f"api_key:{SOMEBODY}"), Role.VIEWER).user_id is None
    assert Principal(None, Role.ADMIN).actor == "operator"
