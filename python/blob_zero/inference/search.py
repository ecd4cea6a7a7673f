"""A search of one position with any kind of evaluator."""

from os import PathLike

from blob_zero import _core
from blob_zero.inference.evaluator import Evaluator
from blob_zero.inference.onnx_evaluator import open_evaluator


def search(
    root: _core.Round | _core.Observation,
    /,
    evaluator: Evaluator | str | PathLike[str],
    *,
    worlds: int = 3,
    simulations: int = 30,
    seed: int = 0,
    c_puct: float = 1.5,
    fpu_reduction: float = 0.25,
    leaves_in_flight: int = 1,
    virtual_loss: int = 1,
    own_view: bool = False,
    noise_fraction: float = 0.0,
    noise_alpha: float = 1.0,
) -> _core.SearchResult:
    """Searches the decision of the seat to play, from what that seat knows.

    Args:
        root: a round, seen by the seat to play, or the observation of that seat.
        evaluator: judges positions: "uniform" (equal priors, values 0), "rollout" (a random playout), a callable, or
            the path of an .onnx file.
        worlds: deals drawn; this and the other options are those of `SearchOptions`.
        simulations: simulations in each world.
        seed: of the worlds, the playouts and the noise.
        c_puct: weight of the prior against the value.
        fpu_reduction: how far below its parent an unvisited action is valued.
        leaves_in_flight: leaves of one tree that wait for an evaluation together.
        virtual_loss: lost visits that a waiting leaf counts as.
        own_view: whether the searcher's own value of a leaf comes from what the searcher knows there; a callable then
            also gets rows in which no action is legal, of which the first value alone counts.
        noise_fraction: share of Dirichlet noise in the priors at the root.
        noise_alpha: concentration of that noise.

    Raises:
        ConfigError: nobody is to play, or an option is out of its range.
        EvaluatorError: the evaluator breaks its contract.
        CheckpointError: the file cannot be used.
    """
    return _core.search(
        root,
        open_evaluator(evaluator),
        worlds=worlds,
        simulations=simulations,
        seed=seed,
        c_puct=c_puct,
        fpu_reduction=fpu_reduction,
        leaves_in_flight=leaves_in_flight,
        virtual_loss=virtual_loss,
        own_view=own_view,
        noise_fraction=noise_fraction,
        noise_alpha=noise_alpha,
    )
