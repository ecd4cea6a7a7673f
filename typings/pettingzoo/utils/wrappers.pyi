from typing import TypeVar

from pettingzoo import AECEnv

_Agent = TypeVar("_Agent")
_Observed = TypeVar("_Observed")
_Act = TypeVar("_Act")

class OrderEnforcingWrapper(AECEnv[_Agent, _Observed, _Act]):
    def __init__(self, env: AECEnv[_Agent, _Observed, _Act]) -> None: ...
