"""Judges: matches between a network and an opponent, played and summarized."""

from collections.abc import Sequence
from typing import Literal, Protocol

import torch

import blob_zero as bz
from blob_zero.arena.entrant import Entrant, NetworkEntrant, ReadyEntrant
from blob_zero.arena.statistics import MatchSummary, summarize
from blob_zero.config.bots import read_bot
from blob_zero.config.schema import BatchRows, InferenceConfig
from blob_zero.config.search_options import SearchOptions
from blob_zero.inference.devices import auto_workers
from blob_zero.inference.inference import Inference
from blob_zero.model.networks import Network
from blob_zero.selfplay.sizes import auto_batch_rows


class Judge(Protocol):
    """Plays matches between a network and an opponent."""

    def match(self, net: Network, opponent: Network | str, *, deals: int, seed: int) -> MatchSummary:
        """Plays the network against another, or against a bot by name, on the deals of a seed."""


class EntrantJudge(Protocol):
    """Plays matches between any two entrants."""

    def meet(self, first: Entrant, second: Entrant, *, cards: int, deals: int, seed: int) -> bz.MatchRecord:
        """The records of a match."""


class LocalJudge:
    """A judge that plays in this process.

    Args:
        players: seats.
        cards: cards dealt to each player.
        search: the search of every network; None for play by their policies alone.
        inference: how networks compute.
        device: where networks compute.
        batch_rows: rows of a batch; `auto` chooses by device and number of rounds.
        threads: search threads; one for each core if None.
        result_share: None judges by single rounds; a share judges by whole games, as in `bz.play_match`.
        rules: rule variants; Blob's own if None.
    """

    def __init__(
        self,
        *,
        players: int,
        cards: int,
        search: SearchOptions | None,
        inference: InferenceConfig,
        device: str,
        batch_rows: BatchRows,
        threads: int | None = None,
        result_share: float | None = None,
        rules: bz.RoundRules | None = None,
    ) -> None:
        self.players = players
        self.cards = cards
        self.search = search
        self.inference = inference
        self.device = device
        self.batch_rows = batch_rows
        self.threads = threads
        self.result_share = result_share
        self.rules = rules
        self._evaluators: dict[int, Inference] = {}

    def match(self, net: Network, opponent: Network | str, *, deals: int, seed: int) -> MatchSummary:
        """Plays the network against another, or against a bot by name, on the deals of a seed."""
        met = read_bot(opponent) if isinstance(opponent, str) else NetworkEntrant(opponent, self.search)
        record = self.meet(NetworkEntrant(net, self.search), met, cards=self.cards, deals=deals, seed=seed)
        return summarize(record, seed=seed)

    def meet(
        self,
        first: Entrant,
        second: Entrant,
        *,
        cards: int,
        deals: int,
        seed: int,
        first_deal: int = 0,
        batch_rows: int | None = None,
    ) -> bz.MatchRecord:
        """The records of a match between two entrants, or of a part of its deals from `first_deal` on."""
        agents = self.agent(first, side=0), self.agent(second, side=1)
        return self.records(*agents, cards=cards, deals=deals, seed=seed, first_deal=first_deal, batch_rows=batch_rows)

    def batch_rows_of(self, entrants: Sequence[Entrant], *, deals: int) -> int:
        """The rows of a batch in a match of these entrants; the device need not be here."""
        leaves = max(map(_leaves, entrants))
        return self._rows(leaves=self.players * deals * leaves)

    def records(
        self,
        first: bz.Agent,
        second: bz.Agent,
        *,
        cards: int,
        deals: int,
        seed: int,
        first_deal: int = 0,
        batch_rows: int | None = None,
    ) -> bz.MatchRecord:
        """The records of a match between any two agents, with this number of cards dealt to each player."""
        rows = self.prepare((first, second), rounds=self.players * deals, batch_rows=batch_rows)
        return bz.play_match(
            first,
            second,
            players=self.players,
            cards=cards,
            deals=deals,
            seed=seed,
            first_deal=first_deal,
            result_share=self.result_share,
            rules=self.rules,
            threads=self.threads,
            batch_rows=rows,
        )

    def prepare(self, agents: Sequence[bz.Agent], *, rounds: int, batch_rows: int | None = None) -> int:
        """Warms the agents' networks up, so that it is not timed; returns the rows of a batch."""
        rows = batch_rows or self._rows(leaves=rounds * max(agent.leaves for agent in agents))
        for agent in agents:
            if isinstance(agent.evaluator, Inference):
                agent.evaluator.prepare(rows)
        return rows

    def agent(self, entrant: Entrant, *, side: Literal[0, 1]) -> bz.Agent:
        """The agent of an entrant for one side of the next match."""
        if isinstance(entrant, ReadyEntrant):
            return entrant.agent
        if isinstance(entrant, NetworkEntrant):
            evaluator = self._evaluator(entrant.net, side)
            if entrant.search is None:
                return bz.Agent.policy(evaluator)
            return bz.Agent(kind="network", search=entrant.search, evaluator=evaluator)
        return bz.Agent.bot(entrant)

    def _evaluator(self, net: Network, side: Literal[0, 1]) -> Inference:
        """The evaluator of a side with the weights of `net`; it is kept, and compiled code with it."""
        evaluator = self._evaluators.get(side)
        if evaluator is None or evaluator.shape != net.shape:
            evaluator = Inference(net, device=self.device, **self.inference.model_dump())
            self._evaluators[side] = evaluator
        else:
            evaluator.load(net)
        return evaluator

    def _rows(self, *, leaves: int) -> int:
        if self.batch_rows != "auto":
            return self.batch_rows
        device = torch.device(self.device).type
        return auto_batch_rows(device, workers=auto_workers(device), leaves=leaves)


def _leaves(entrant: Entrant) -> int:
    """Leaves of the entrant's agent, without a network on a device."""
    if isinstance(entrant, NetworkEntrant):
        return 1 if entrant.search is None else entrant.search.leaves
    return entrant.agent.leaves if isinstance(entrant, ReadyEntrant) else 0
