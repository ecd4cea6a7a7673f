"""What a run needs before its first iteration: settings that can be played, PyTorch's settings, and a judge."""

import torch

from blob_zero.arena.judge import LocalJudge
from blob_zero.config.schedule import at
from blob_zero.config.schema import Config
from blob_zero.model.networks import configured_shape, seeded_network
from blob_zero.selfplay.worker import RoundRange, configured_self_play


def check_playable(config: Config, device: torch.device) -> None:
    """Checks the settings of the first and the last iteration, so that no run begins that cannot end.

    Raises:
        ConfigError: the core cannot play them, or a network of your own cannot be used.
    """
    seeded_network(configured_shape(config), seed=0)
    options = config.selfplay
    for iteration in (0, config.run.iterations - 1):
        rounds = RoundRange(
            seed=0,
            first_round=0,
            rounds=at(options.rounds, iteration),
            worlds=None if options.worlds is None else at(options.worlds, iteration),
            simulations=None if options.simulations is None else at(options.simulations, iteration),
        )
        configured_self_play(config, rounds, device=device)


def configure_torch(config: Config, device: torch.device) -> None:
    """Applies the settings that PyTorch keeps for the whole process."""
    if config.run.torch_threads is not None:
        torch.set_num_threads(config.run.torch_threads)
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high" if config.training.tf32 else "highest")


def local_judge(config: Config, *, device: torch.device) -> LocalJudge:
    """A judge in this process that plays as the settings say."""
    return LocalJudge(
        players=config.game.players,
        cards=config.game.cards,
        search=config.search.options() if config.selfplay.agent == "search" else None,
        inference=config.inference,
        device=str(device),
        batch_rows=config.evaluation.batch_rows,
        threads=config.selfplay.threads,
        result_share=config.game.game_result,
        rules=config.game.rules.variants(),
    )
