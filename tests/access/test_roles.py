"""The table of roles is complete, and nobody becomes an operator by being something else."""

from __future__ import annotations

from facefleet.access.permissions import Permission
from facefleet.access.principal import LOCAL
from facefleet.access.roles import ALLOWED, Role, permissions_of


def test_every_permission_has_a_row_and_somebody_has_it() -> None:
    assert set(ALLOWED) == set(Permission)
    assert all(ALLOWED.values())


def test_every_role_may_do_something() -> None:
    assert all(permissions_of([role]) > {Permission.DOCUMENTS_READ} for role in Role)


def test_permissions_of_several_roles_add_up() -> None:
    both = permissions_of([Role.VIEWER, Role.OPERATOR])
    assert both == permissions_of([Role.VIEWER]) | permissions_of([Role.OPERATOR])
    assert permissions_of([]) == frozenset()


def test_what_concerns_every_tenant_is_the_operators_alone() -> None:
    others = permissions_of(set(Role) - {Role.OPERATOR})
    assert set(Permission) - others == {Permission.OPERATE, Permission.METRICS_READ}


def test_an_operator_sees_nobodys_photos() -> None:
    assert not permissions_of([Role.OPERATOR]) & {Permission.TASKS_READ, Permission.TEMPLATES_READ}


def test_the_owner_of_this_machine_may_do_everything() -> None:
    assert LOCAL.permissions == frozenset(Permission)
