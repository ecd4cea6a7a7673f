"""The training run: replay, minibatches, loss, learner, and the loop around them."""
