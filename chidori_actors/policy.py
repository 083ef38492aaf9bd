"""What an agent's host calls may do (wire contract, section 7)."""

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from .errors import UsageError
from .policy_rules import InDoubt, PolicyDocument, Rule, RuleDecision, parse_policy
from .provider_keys import is_guarded_variable
from .settings import Settings

Profile = Literal["trusted", "supervised", "untrusted"]
"""From what holds anyway to the strictest."""

_PROFILES: tuple[Profile, ...] = get_args(Profile)
_GATED = ("tool:", "exec:", "env:")
_GATED_IN_WORDS = "http, tools, exec and env"
_DECIDED: dict[RuleDecision, Literal["allow", "ask", "deny"]] = {
    "always_allow": "allow",
    "ask_before": "ask",
    "never_allow": "deny",
}


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one call.

    ``reason`` is set whenever the call is not simply allowed; ``for_good`` says that no other rules would change a
    denial, because the run keeps its profile. ``in_doubt`` is what to do with a call that a
    crash left without an outcome, or None when no rule says.
    """

    decision: Literal["allow", "ask", "deny"]
    reason: str | None = None
    in_doubt: InDoubt | None = None
    for_good: bool = False


def denied_text(target: str, reason: str | None) -> str:
    """The error that an agent gets for a denied call."""
    return f"policy: `{target}` denied" + (f" ({reason})" if reason else "")


def approval_text(target: str, reason: str | None) -> str:
    """The error, or the question, for a call that a person must approve."""
    return f"policy: `{target}` requires approval" + (f" ({reason})" if reason else "")


def strictest_profile(*profiles: str | None) -> Profile | None:
    """The strictest of several profiles, None when there is none; one that is not known counts as the strictest."""
    given = [_strictness(profile) for profile in profiles if profile is not None]
    return _PROFILES[max(given)] if given else None


def _strictness(profile: str) -> int:
    return next((level for level, known in enumerate(_PROFILES) if known == profile), len(_PROFILES) - 1)


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of one run. Without a document everything is allowed but what needs a rule of its own.

    ``profile`` comes before the rules and can only tighten them; ``of_session`` says that it is the session's own, not
    the command line's.
    """

    document: PolicyDocument | None = None
    profile: Profile | None = None
    of_session: bool = False

    @classmethod
    def load(cls, settings: Settings, *, profile: Profile | None = None) -> "Policy":
        """Read ``CHIDORI_POLICY_FILE``, else ``CHIDORI_POLICY``, else have no rules.

        ``profile`` is what the command line said: ``untrusted`` denies ``http``, ``tool:*``, ``exec:*`` and
        ``env:*`` before any rule; ``supervised`` asks before those of them that the rules allow; ``trusted`` says
        aloud what holds without rules, and rules stay in force.

        Raises:
            UsageError: the policy cannot be read; it never falls open.
        """
        path = settings.policy_file
        if path is not None:
            try:
                text = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, "strerror", None) or str(error)
                raise UsageError(
                    f"CHIDORI_POLICY_FILE: {path} cannot be read: {reason}",
                    hint="correct the path, or unset it",
                ) from error
            return cls(parse_policy(text, str(path)), profile)
        if settings.policy_inline is not None:
            return cls(parse_policy(settings.policy_inline, "CHIDORI_POLICY"), profile)
        return cls(None, profile)

    def tightened(self, profile: str | None) -> "Policy":
        """This policy for a run that asked for ``profile``, which may forbid more than the policy, and never less."""
        strictest = strictest_profile(self.profile, profile)
        return self if strictest == self.profile else replace(self, profile=strictest, of_session=True)

    def decide(self, target: str, args: dict[str, Any]) -> Decision:
        """What becomes of a call of ``target`` with the record's ``args``; the first matching rule wins."""
        gated = target == "http" or target.startswith(_GATED)
        if gated and self.profile == "untrusted":
            return Decision("deny", f"{self._profile_in_words()} denies {_GATED_IN_WORDS}", for_good=True)
        decision = self._by_rules(target, args)
        if gated and self.profile == "supervised" and decision.decision == "allow":
            reason = f"{self._profile_in_words()} asks before {_GATED_IN_WORDS}"
            return replace(decision, decision="ask", reason=reason)
        return decision

    def refusal(self, target: str, args: dict[str, Any]) -> str | None:
        """Why a call of ``target`` may not be made without asking somebody, or None when it may."""
        decision = self.decide(target, args)
        if decision.decision == "allow":
            return None
        text = denied_text if decision.decision == "deny" else approval_text
        return text(target, decision.reason)

    def hosts_for(self, name: str) -> tuple[str, ...] | None:
        """The hosts that the value of environment variable ``name`` may be sent to, or None when any."""
        rule = self._first_match(f"env:{name}", {"name": name})
        return None if rule is None else rule.hosts

    def describe(self) -> str:
        """One line for the run's record."""
        profile = f"{self.profile}; " if self.profile else ""
        if self.document is None:
            return f"{profile}no rules, everything else is allowed" if profile else "no rules, everything is allowed"
        count = len(self.document.rules)
        return (
            f"{profile}{self.document.source}: {count} rule{'' if count == 1 else 's'}, default {self.document.default}"
        )

    def _profile_in_words(self) -> str:
        return f"the session's policy_profile `{self.profile}`" if self.of_session else f"--{self.profile}"

    def _by_rules(self, target: str, args: dict[str, Any]) -> Decision:
        rule = self._first_match(target, args)
        if target.startswith("env:"):
            refusal = _guarded_refusal(target, args, rule)
            if refusal is not None:
                return Decision("deny", refusal)
        if rule is not None:
            return self._decision(rule.decision, rule)
        return self._decision(self.document.default if self.document else "always_allow", None)

    def _first_match(self, target: str, args: dict[str, Any]) -> Rule | None:
        if self.document is None:
            return None
        return next((rule for rule in self.document.rules if rule.matches(target, args)), None)

    def _decision(self, decided: RuleDecision, rule: Rule | None) -> Decision:
        decision = _DECIDED[decided]
        reason = rule.reason if rule else None
        if reason is None and decision != "allow" and self.document is not None:
            reason = f"{self.document.source}: " + ("the default" if rule is None else f"rules[{rule.number}]")
        return Decision(decision, reason, rule.in_doubt if rule else None)


def _guarded_refusal(target: str, args: dict[str, Any], rule: Rule | None) -> str | None:
    """Why a variable that lacks the ``env:`` rule it needs is denied, or None."""
    revealed = args.get("reveal") is True
    explicit = rule is not None and rule.target.startswith("env:")
    if rule is not None and (explicit or rule.decision == "never_allow"):
        if revealed and rule.hosts is not None and rule.decision != "never_allow":
            return "a rule binds it to hosts, so its value cannot be revealed"
        return None
    if is_guarded_variable(target.removeprefix("env:")):
        return f"it holds settings or provider credentials; a rule with target {target} can allow it"
    return f"revealing a value needs a rule with target {target}" if revealed else None
