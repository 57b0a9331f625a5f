"""Who may do what: roles of policies, resolved into the permissions that calls ask for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from components.common.errors import CloudError
from pipelines.doctor.check import Check, fail, ok, skip
from pipelines.google_cloud.asking import DISABLED, Asking, refused, repository_of
from pipelines.google_cloud.permissions import CALLER, RUNNER, Need, On, grouped

# Of policies: with conditions, which older versions hide.
POLICY_VERSION = 3
QUESTIONS_AT_ONCE = 8
EVERYBODY = ("allUsers", "allAuthenticatedUsers")
TELLING_ROLE = "roles/iam.securityReviewer"  # to read policies

Bindings = Sequence[Mapping[str, Any]]


def check_runner(asking: Asking) -> Iterator[Check]:
    """The account that steps run as: it is there, and has the roles that they need."""
    try:
        account = asking.cloud.get("iam", f"projects/-/serviceAccounts/{asking.runner}")
    except CloudError as error:
        yield _no_account(asking, error)
        if error.status == 404:
            yield skip("runner's rights", "there is nobody to have them")
            return
    else:
        yield _account(asking, account)
    yield from _check_bindings(asking)


def check_caller(asking: Asking) -> Iterator[Check]:
    """Whoever starts the run: may they?"""
    for (on, role), needs in grouped(CALLER).items():
        name = f"you, {on}"
        try:
            held = _tested(asking, on, [need.permission for need in needs])
        except CloudError as error:
            missing = error.status == 404 and error.reason != "IAM_PERMISSION_DENIED"
            yield skip(name, f"there is no {on}") if missing else refused(name, error)
            continue
        yield _verdict(asking, name, "you", asking.caller, (on, role), needs, held)


def _account(asking: Asking, account: Mapping[str, Any]) -> Check:
    if account.get("disabled"):
        return fail(
            "runner",
            f"{asking.runner} is disabled",
            f"gcloud iam service-accounts enable {asking.runner} --project={_home(asking)}",
        )
    return ok("runner", asking.runner)


def _no_account(asking: Asking, error: CloudError) -> Check:
    if error.status != 404:
        return refused("runner", error)
    name = asking.runner.partition("@")[0]
    return fail(
        "runner",
        f"there is no service account {asking.runner}",
        f"gcloud iam service-accounts create {name} --project={_home(asking)}",
    )


def _home(asking: Asking) -> str:
    """The project that the runner's account is of."""
    project, is_of_one, _ = asking.runner.partition("@")[2].partition(".iam.")
    return project if is_of_one else asking.place.project  # an account of Google's own


def _check_bindings(asking: Asking) -> Iterator[Check]:
    """Whether the policies give the runner what it needs."""
    groups = grouped(RUNNER)
    places = sorted({"project", *(on for on, _ in groups)})
    with ThreadPoolExecutor(QUESTIONS_AT_ONCE) as pool:
        policies = dict(zip(places, pool.map(partial(_policy, asking), places), strict=True))
        roles = {role for bindings in policies.values() for role in _roles(asking, bindings)}
        permissions = dict(zip(roles, pool.map(partial(_permissions, asking), roles), strict=True))
    for bound, needs in groups.items():
        yield _check_group(asking, bound, needs, policies, permissions)


def _check_group(
    asking: Asking,
    bound: tuple[On, str],
    needs: Sequence[Need],
    policies: Mapping[On, Bindings | CloudError | None],
    permissions: Mapping[str, Sequence[str] | CloudError],
) -> Check:
    on, role = bound
    name, member = f"runner, {on}", f"serviceAccount:{asking.runner}"
    asked = (policies[on], policies["project"])
    unread = [_unread(asking, name, policy) for policy in asked if not _is_read(policy)]
    held: set[str] = set()
    for each in sorted({each for policy in asked for each in _roles(asking, policy)}):
        given = permissions[each]
        if isinstance(given, CloudError):
            unread.append(_unread_role(name, each, given, _grant(asking, on, role, member)))
        else:
            held.update(given)
    if unread and any(need.permission not in held for need in needs):
        return unread[0]
    return _verdict(asking, name, asking.runner, member, bound, needs, held)


def _policy(asking: Asking, on: On) -> Bindings | CloudError | None:
    """The bindings on a thing; None where there is no such thing to be asked."""
    cloud, place = asking.cloud, asking.place
    version: Any = {"options.requestedPolicyVersion": POLICY_VERSION}
    try:
        if on == "project":
            body = {"options": {"requestedPolicyVersion": POLICY_VERSION}}
            path = f"projects/{place.project}:getIamPolicy"
            answer = cloud.ask("cloudresourcemanager", path, body)
        elif on == "bucket":
            path = f"b/{place.bucket}/iam"
            answer = cloud.get("storage", path, optionsRequestedPolicyVersion=POLICY_VERSION)
        elif on == "account":
            path = f"projects/-/serviceAccounts/{asking.runner}:getIamPolicy"
            answer = cloud.ask("iam", path, **version)
        else:
            repository = repository_of(place.image_registry)
            if repository is None:
                return None
            answer = cloud.get("artifactregistry", f"{repository.path}:getIamPolicy", **version)
    except CloudError as error:
        return None if error.status == 404 else error
    bindings: Bindings = answer.get("bindings", [])
    return bindings


def _is_read(policy: Bindings | CloudError | None) -> bool:
    return isinstance(policy, Sequence)


def _roles(asking: Asking, policy: Bindings | CloudError | None) -> list[str]:
    """Roles that the runner has without conditions, which would have to be evaluated."""
    if policy is None or isinstance(policy, CloudError):
        return []
    members = {f"serviceAccount:{asking.runner}", *EVERYBODY}
    unconditional = [each for each in policy if not each.get("condition")]
    return [each["role"] for each in unconditional if members & set(each.get("members", []))]


def _permissions(asking: Asking, role: str) -> Sequence[str] | CloudError:
    """What a role gives, or why it cannot be read, as one of the organisation."""
    try:
        permissions: list[str] = asking.cloud.get("iam", role).get("includedPermissions", [])
    except CloudError as error:
        return error
    return permissions


def _tested(asking: Asking, on: On, permissions: Sequence[str]) -> set[str]:
    """Those of the permissions that the caller has."""
    cloud, body = asking.cloud, {"permissions": list(permissions)}
    if on == "bucket":
        path = f"b/{asking.place.bucket}/iam/testPermissions"
        answer = cloud.get("storage", path, permissions=list(permissions))
    elif on == "account":
        path = f"projects/-/serviceAccounts/{asking.runner}:testIamPermissions"
        answer = cloud.ask("iam", path, body)
    else:
        path = f"projects/{asking.place.project}:testIamPermissions"
        answer = cloud.ask("cloudresourcemanager", path, body)
    return set(answer.get("permissions", []))


def _verdict(
    asking: Asking,
    name: str,
    who: str,
    member: str,
    bound: tuple[On, str],
    needs: Sequence[Need],
    held: Iterable[str],
) -> Check:
    on, role = bound
    lacking = [need for need in needs if need.permission not in set(held)]
    where = "itself" if on == "account" and who == asking.runner else _label(asking, on)
    if not lacking:
        return ok(name, f"what {role} gives on {where}")
    first = lacking[0]
    lack = "lack" if who == "you" else "lacks"
    more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
    return fail(
        name,
        f"{who} {lack} {first.permission}{more} on {where}, for {first.call}",
        _grant(asking, on, role, member),
    )


def _unread(asking: Asking, name: str, policy: Bindings | CloudError | None) -> Check:
    if not isinstance(policy, CloudError):
        return skip(name, "there is nothing to have rights on")
    check = refused(name, policy)
    if policy.status != 403 or check.status != "skip":
        return check
    return skip(name, check.said, _grant(asking, "project", TELLING_ROLE, asking.caller))


def _unread_role(name: str, role: str, error: CloudError, mend: str) -> Check:
    """What a role gives is not known: it may be all that is needed."""
    why = refused(name, error).said.removeprefix("not known, since ")
    said = f"not known, since {role} cannot be read: {why}"
    return skip(name, said, "" if error.reason == DISABLED else mend)


def _label(asking: Asking, on: On) -> str:
    if on == "repository":
        repository = repository_of(asking.place.image_registry)
        return f"repository {repository.name}" if repository else "the repository"
    return {
        "project": f"project {asking.place.project}",
        "bucket": f"gs://{asking.place.bucket}",
        "account": asking.runner,
    }[on]


def _grant(asking: Asking, on: On, role: str, member: str) -> str:
    """The command that binds a role."""
    what = f"--member={member} --role={role}"
    repository = repository_of(asking.place.image_registry)
    if on == "repository" and repository:
        return (
            f"gcloud artifacts repositories add-iam-policy-binding {repository.name}"
            f" --project={repository.project} --location={repository.location} {what}"
        )
    if on == "bucket":
        bucket = f"gs://{asking.place.bucket}"
        return f"gcloud storage buckets add-iam-policy-binding {bucket} {what}"
    if on == "account":
        account = f"{asking.runner} --project={_home(asking)}"
        return f"gcloud iam service-accounts add-iam-policy-binding {account} {what}"
    project = asking.place.project
    return f"gcloud projects add-iam-policy-binding {project} {what} --condition=None"
