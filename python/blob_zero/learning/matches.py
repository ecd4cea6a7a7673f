"""The matches of a run: promotion, measurement against fixed opponents, and the table at the end."""

from blob_zero.arena.final_table import Comparison, FinalTable
from blob_zero.arena.judge import Judge
from blob_zero.arena.ratings import network_name
from blob_zero.arena.statistics import MatchSummary
from blob_zero.config.schema import FixedOpponent
from blob_zero.learning.display import Display
from blob_zero.learning.run import Run
from blob_zero.metrics.log import MetricValue
from blob_zero.seeds import Purpose, stream_seed


class Matches:
    """Has a judge play the matches of a run, and rates the networks by them."""

    def __init__(self, run: Run, judge: Judge, display: Display) -> None:
        self._run = run
        self._judge = judge
        self._display = display

    def promotion(self) -> dict[str, MetricValue]:
        """Promotes the learner's network if it is shown to be good enough; returns the metrics of promotion."""
        run, options = self._run, self._run.config.promotion
        if not options.enabled:
            run.promote()
            return {"promoted": True}
        self._display.judging("the best network so far")
        # Fresh deals each time: otherwise candidates are selected for luck on the same deals.
        seed = stream_seed(run.config.run.seed, Purpose.PROMOTION, run.iteration)
        match = self._judge.match(run.learner.net, run.best, deals=options.deals, seed=seed)
        self._rate(run.iteration, network_name(run.best_iteration), match, predecessor=run.best_iteration)
        promoted = match.exceeds(options.margin)
        if promoted:
            run.promote()
        return {
            "promotion_difference": match.difference,
            "promotion_low": match.low,
            "promotion_high": match.high,
            "promoted": promoted,
        }

    def measurement(self) -> dict[str, MetricValue]:
        """Measures the best network against the fixed opponents where it is due; returns the metrics, and its rating.

        Every measurement uses the same deals.
        """
        run, options = self._run, self._run.config.evaluation
        metrics: dict[str, MetricValue] = {}
        if run.iteration % options.every == 0 or run.iteration == run.config.run.iterations:
            measured = [
                self._compare(opponent, deals=options.deals, purpose=Purpose.EVALUATION)
                for opponent in options.opponents
            ]
            self._rate_measured(measured)
            for comparison in measured:
                metrics |= _columns(comparison)
        rating = run.ratings.get(network_name(run.best_iteration))
        return metrics if rating is None else {**metrics, "rating": rating.mean, "rating_sigma": rating.sigma}

    def final_table(self) -> list[Comparison]:
        """Compares the best network with each opponent on fresh deals, or reads a table that was saved before."""
        run, options = self._run, self._run.config.evaluation
        table = FinalTable(run.folder, net=run.best, config=run.config)
        saved = table.read()
        if saved is not None:
            return saved
        comparisons = [
            self._compare(opponent, deals=options.final_deals, purpose=Purpose.FINAL_TABLE)
            for opponent in options.opponents
        ]
        table.write(comparisons)
        return comparisons

    def _compare(self, opponent: FixedOpponent, *, deals: int, purpose: Purpose) -> Comparison:
        run = self._run
        self._display.judging(opponent)
        match = self._judge.match(
            run.best,
            run.untrained if opponent == "untrained" else opponent,
            deals=deals,
            seed=stream_seed(run.config.run.seed, purpose),
        )
        return Comparison(opponent, match)

    def _rate_measured(self, measured: list[Comparison]) -> None:
        run = self._run
        if run.measured_iteration == run.best_iteration:
            return  # the same network on the same deals is no new evidence
        for comparison in measured:
            opponent = network_name(0) if comparison.opponent == "untrained" else comparison.opponent
            self._rate(run.best_iteration, opponent, comparison.match, predecessor=run.measured_iteration)
        run.measured_iteration = run.best_iteration

    def _rate(self, iteration: int, opponent: str, match: MatchSummary, *, predecessor: int) -> None:
        """Updates both ratings by a match of an iteration's network, which starts at its predecessor's rating."""
        name, ratings = network_name(iteration), self._run.ratings
        ratings.begin_at(name, network_name(predecessor))
        ratings.add_match(name, opponent, won=match.won, tied=match.tied, lost=match.deals - match.won - match.tied)


def _columns(comparison: Comparison) -> dict[str, MetricValue]:
    # All searches by playouts, rollout:WxS, share the columns named rollout.
    name, match = comparison.opponent.partition(":")[0], comparison.match
    return {
        f"{name}_difference": match.difference,
        f"{name}_low": match.low,
        f"{name}_high": match.high,
        f"{name}_points": match.first.points,
        f"{name}_exact": match.first.exact,
    }
