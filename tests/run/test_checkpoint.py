import errno
import hashlib
import json

import pytest
import torch
from support.training_fakes import SMALL

import blob_zero as bz
from blob_zero.errors import CheckpointError
from blob_zero.model.blobnet import NetworkShape
from blob_zero.model.networks import seeded_network
from blob_zero.run.atomic_files import write_atomically
from blob_zero.run.checkpoint import (
    Checkpoint,
    checkpoint_paths,
    latest_checkpoint,
    load_checkpoint,
    prune_checkpoints,
    save_checkpoint,
)
from blob_zero.run.weights_file import load_network

FILES = ("weights.safetensors", "optimizer.safetensors", "state.json", "manifest.json")


def example(iteration: int) -> Checkpoint:
    return Checkpoint(
        iteration=iteration,
        networks={"weights": seeded_network(NetworkShape(8, **SMALL), seed=iteration)},
        tensors={"optimizer": {"step": torch.tensor(iteration), "rows": torch.arange(20).reshape(4, 5)}},
        state={"rounds": 10 * iteration},
    )


def iteration_of(folder) -> int:
    checkpoint, _ = latest_checkpoint(folder)
    return checkpoint.iteration


def same_weights(net, iteration: int) -> bool:
    mine, theirs = net.state_dict(), example(iteration).networks["weights"].state_dict()
    return all(torch.equal(mine[name], theirs[name]) for name in theirs)


def test_what_is_saved_is_loaded(tmp_path):
    loaded = load_checkpoint(save_checkpoint(tmp_path, example(3)))
    assert loaded.iteration == 3
    assert loaded.state == {"rounds": 30}
    assert same_weights(loaded.networks["weights"], 3)
    assert torch.equal(loaded.tensors["optimizer"]["rows"], torch.arange(20).reshape(4, 5))
    assert loaded.tensors["optimizer"]["step"].item() == 3


def test_files_are_safetensors_and_json(tmp_path):
    path = save_checkpoint(tmp_path, example(1))
    assert sorted(file.name for file in path.iterdir()) == sorted(FILES)
    assert all(file.read_bytes()[:1] == b"{" for file in path.glob("*.json"))
    assert all(file.read_bytes()[8:9] == b"{" for file in path.glob("*.safetensors"))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["truncated", "changed", "missing", "empty"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(tmp_path, name, damage):
    save_checkpoint(tmp_path, example(1))
    file = save_checkpoint(tmp_path, example(2)) / name
    content = file.read_bytes()
    if damage == "truncated":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "changed":
        middle = len(content) // 2
        file.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    elif damage == "missing":
        file.unlink()
    else:
        file.write_bytes(b"")
    checkpoint, damaged = latest_checkpoint(tmp_path)
    assert checkpoint.iteration == 1
    assert len(damaged) == 1
    assert "000002" in damaged[0]
    if name != "manifest.json":
        assert name in damaged[0]


def test_an_empty_folder_has_no_checkpoint_and_a_ruined_one_is_an_error(tmp_path):
    assert latest_checkpoint(tmp_path / "none") == (None, [])
    for iteration in (1, 2):
        (save_checkpoint(tmp_path, example(iteration)) / "state.json").unlink()
    with pytest.raises(CheckpointError, match=r"000002.*000001"):
        latest_checkpoint(tmp_path)


def test_a_write_that_stops_halfway_leaves_the_one_before(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, example(1))

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full_disk)
        with pytest.raises(CheckpointError, match=r"000002.*No space left"):
            save_checkpoint(tmp_path, example(2))
    assert iteration_of(tmp_path) == 1
    save_checkpoint(tmp_path, example(2))
    assert iteration_of(tmp_path) == 2


def test_a_damaged_checkpoint_is_replaced_when_its_iteration_comes_again(tmp_path):
    save_checkpoint(tmp_path, example(1))
    (save_checkpoint(tmp_path, example(2)) / "state.json").unlink()
    save_checkpoint(tmp_path, example(2))
    assert latest_checkpoint(tmp_path)[1] == []
    assert iteration_of(tmp_path) == 2


def test_the_newest_and_the_pinned_stay(tmp_path):
    for iteration in range(8):
        save_checkpoint(tmp_path, example(iteration))
    (tmp_path / ".000008.partial").mkdir()
    prune_checkpoints(tmp_path, newest=7, keep=2, pinned={0, 3})
    assert [int(path.name) for path in checkpoint_paths(tmp_path)] == [0, 3, 6, 7]
    assert len(list(tmp_path.iterdir())) == 4


def test_a_network_is_loaded_from_run_checkpoint_or_file(tmp_path):
    for iteration in (9, 10):
        checkpoint = save_checkpoint(tmp_path / "checkpoints", example(iteration))
    for path in (tmp_path, checkpoint, checkpoint / "weights.safetensors"):
        assert same_weights(load_network(path), 10)


@pytest.mark.parametrize("name", ["weights.safetensors", "state.json", "manifest.json"])
def test_the_network_before_a_damaged_one_is_loaded_from_a_run(tmp_path, name):
    paths = [save_checkpoint(tmp_path / "checkpoints", example(iteration)) for iteration in (1, 2, 3)]
    for path in paths[1:]:
        (path / name).write_bytes((path / name).read_bytes()[:-4])
    with pytest.warns(RuntimeWarning, match=r"skipping a damaged checkpoint: .*00000[23]") as caught:
        assert same_weights(load_network(tmp_path), 1)
    assert len(caught) == 2
    (paths[0] / name).unlink()
    with pytest.raises(CheckpointError, match=r"no checkpoint in .* is whole"):
        load_network(tmp_path)


def test_a_network_that_may_not_be_read_is_no_damage(tmp_path, monkeypatch):
    for iteration in (1, 2):
        save_checkpoint(tmp_path / "checkpoints", example(iteration))

    digest = hashlib.file_digest

    def newest_refused(file, name):
        if "000002" in file.name:
            raise PermissionError(errno.EACCES, "Permission denied")
        return digest(file, name)

    monkeypatch.setattr("hashlib.file_digest", newest_refused)
    with pytest.raises(CheckpointError, match=r"000002.*Permission denied"):
        load_network(tmp_path)


def test_what_is_no_network_is_named(tmp_path):
    path = save_checkpoint(tmp_path, example(1))
    with pytest.raises(CheckpointError, match=r"nowhere"):
        load_network(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match=r"optimizer\.safetensors does not hold a network"):
        load_network(path / "optimizer.safetensors")
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    with pytest.raises(CheckpointError, match="no checkpoint yet"):
        load_network(tmp_path / "run")
    weights = path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    with pytest.raises(CheckpointError, match=r"weights\.safetensors is damaged"):
        load_network(path)


def test_another_encoding_version_is_refused(tmp_path, monkeypatch):
    path = save_checkpoint(tmp_path, example(1))
    monkeypatch.setattr("blob_zero.ENCODING_VERSION", bz.ENCODING_VERSION + 1)
    with pytest.raises(CheckpointError, match=r"of encoding version \d+; this is version \d+"):
        load_network(path)


def test_a_manifest_of_another_form_is_damage(tmp_path):
    path = save_checkpoint(tmp_path, example(1))
    for content in ([], {"iteration": 1}, {"iteration": 1, "sha256": {}}, {"iteration": 1, "sha256": []}):
        (path / "manifest.json").write_text(json.dumps(content))
        for load in (load_checkpoint, load_network):
            with pytest.raises(CheckpointError, match=r"manifest\.json"):
                load(path)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    file = tmp_path / "config.toml"
    write_atomically(file, b"old")

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full_disk)
        with pytest.raises(CheckpointError, match=r"config\.toml.*No space left"):
            write_atomically(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]
    write_atomically(file, b"new")
    assert file.read_bytes() == b"new"
