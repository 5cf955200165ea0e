"""The flags of a cluster, checked before any work."""

import pytest

from utils.commands import classify, extract_landmarks


@pytest.mark.parametrize("command", [extract_landmarks, classify])
@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--ray_gpus", "1"], "add --ray"),
        (["--ray_cpus", "2"], "add --ray"),
        (["--ray", "auto", "--ray_gpus", "0"], "more than 0"),
    ],
)
def test_flags_of_a_cluster_without_one_are_an_error(command, flags, told, capsys):
    with pytest.raises(SystemExit):
        command.parse_arguments(flags)
    assert told in capsys.readouterr().err


def test_gpus_of_a_cluster_are_requested_by_number(capsys):
    with pytest.raises(SystemExit):
        extract_landmarks.parse_arguments(["--ray", "--device", "cuda"])
    assert "--ray_gpus" in capsys.readouterr().err
