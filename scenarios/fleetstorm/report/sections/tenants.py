"""How the organizations of a fleet fared beside each other."""

from fleetstorm.report import words
from fleetstorm.report.blocks import Section, Table
from fleetstorm.results import Run
from fleetstorm.results.summary import OrganizationFigures

ORDER = 35


def render(run: Run) -> Section | None:
    """Offered, stored and response times of each organization, with and without a noisy one."""
    tenants = run.summary.tenants
    if tenants is None:
        return None
    columns = (
        "Organization", "Quota", "Offered", "Stored", "Refused requests", "Dropped readings",
        "p99 in quiet windows", "p99 in noisy windows",
    )  # fmt: skip
    lead = "Windows are of five seconds; in a noisy one somebody offers more than twice its quota."
    if tenants.quiet_p99_rise is not None:
        lead += (
            f" The others' p99 was {words.ms(tenants.quiet_p99_ms)} in those and"
            f" {words.ms(tenants.quiet_p99_base_ms)} in the rest (medians)."
        )
    lead += " What a noisy one was refused waits in its devices and comes later, in quiet windows."
    rows = [_row(one) for one in tenants.organizations]
    return Section("Organizations", lead, [Table("By organization", columns, rows)])


def _row(one: OrganizationFigures) -> tuple[str, ...]:
    return (
        f"{one.organization} (noisy)" if one.noisy else one.organization,
        words.rate(one.quota_per_s),
        words.rate(one.offered_per_s),
        words.rate(one.stored_per_s),
        words.count(one.refused),
        words.count(one.dropped),
        words.ms(one.response_p99_quiet_ms),
        words.ms(one.response_p99_noisy_ms),
    )
