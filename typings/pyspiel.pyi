from collections.abc import Callable
from typing import Any

class PlayerId:
    CHANCE: int
    TERMINAL: int

class GameType:
    class Dynamics:
        SEQUENTIAL: GameType.Dynamics

    class ChanceMode:
        EXPLICIT_STOCHASTIC: GameType.ChanceMode

    class Information:
        IMPERFECT_INFORMATION: GameType.Information

    class Utility:
        GENERAL_SUM: GameType.Utility

    class RewardModel:
        TERMINAL: GameType.RewardModel

    short_name: str
    dynamics: Dynamics
    information: Information
    def __init__(
        self,
        *,
        short_name: str,
        long_name: str,
        dynamics: Dynamics,
        chance_mode: ChanceMode,
        information: Information,
        utility: Utility,
        reward_model: RewardModel,
        max_num_players: int,
        min_num_players: int,
        provides_information_state_string: bool,
        provides_information_state_tensor: bool,
        provides_observation_string: bool,
        provides_observation_tensor: bool,
        provides_factored_observation_string: bool,
        parameter_specification: dict[str, Any],
    ) -> None: ...

class GameInfo:
    def __init__(
        self,
        *,
        num_distinct_actions: int,
        max_chance_outcomes: int,
        num_players: int,
        min_utility: float,
        max_utility: float,
        max_game_length: int,
    ) -> None: ...

class PrivateInfoType:
    SINGLE_PLAYER: PrivateInfoType

class IIGObservationType:
    perfect_recall: bool
    public_info: bool
    private_info: PrivateInfoType
    def __init__(self, perfect_recall: bool) -> None: ...

class Game:
    def __init__(self, game_type: GameType, game_info: GameInfo, params: dict[str, Any]) -> None: ...
    def new_initial_state(self) -> State: ...
    def get_type(self) -> GameType: ...

class State:
    def __init__(self, game: Game) -> None: ...
    def apply_action(self, action: int) -> None: ...
    def get_game(self) -> Game: ...
    def history(self) -> list[int]: ...
    def legal_actions(self) -> list[int]: ...

class Bot:
    def __init__(self) -> None: ...

def register_game(game_type: GameType, creator: Callable[[dict[str, Any] | None], Game]) -> None: ...
