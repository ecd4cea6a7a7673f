from typing import Any, ClassVar, Generic, TypeVar

from gymnasium import spaces

_Agent = TypeVar("_Agent")
_Observed = TypeVar("_Observed")
_Act = TypeVar("_Act")

class AECEnv(Generic[_Agent, _Observed, _Act]):
    metadata: ClassVar[dict[str, Any]]
    possible_agents: list[_Agent]
    agents: list[_Agent]
    agent_selection: _Agent
    observation_spaces: dict[_Agent, spaces.Space[Any]]
    action_spaces: dict[_Agent, spaces.Space[Any]]
    rewards: dict[_Agent, float]
    terminations: dict[_Agent, bool]
    truncations: dict[_Agent, bool]
    infos: dict[_Agent, dict[str, Any]]
    _cumulative_rewards: dict[_Agent, float]
    def __init__(self) -> None: ...
    def _was_dead_step(self, action: _Act | None) -> None: ...
    def _clear_rewards(self) -> None: ...
    def _accumulate_rewards(self) -> None: ...
