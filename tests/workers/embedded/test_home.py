"""The home folder, the settings and the secrets of an installation."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

import pytest

from workers.settings import AlreadyRunningError, Home, InvalidSettingError, Running, Settings


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_an_empty_environment_means_an_embedded_home_in_the_working_folder() -> None:
    settings = Settings.read({})
    assert settings.home == Path.cwd() / ".awda"
    assert (settings.port, settings.host, settings.temporal_namespace) == (8600, "127.0.0.1", "default")
    assert settings.database_url is None
    assert settings.temporal_address is None


@pytest.mark.parametrize("text", ["0", "65536", "-1", "80a", "٨٠٨٠"])
def test_an_invalid_port_is_refused_and_its_value_named(text: str) -> None:
    with pytest.raises(InvalidSettingError, match=f"must be a port number from 1 to 65535 .it is '{text}'"):
        Settings.read({"AWDA_PORT": text})


def test_settings_do_not_show_secrets() -> None:
    shown = repr(Settings.read({"AWDA_DATABASE_URL": "postgresql://u:pw@h/d", "AWDA_MASTER_KEY": "c2VjcmV0"}))
    assert "pw" not in shown
    assert "c2VjcmV0" not in shown


def test_a_home_is_for_its_owner_alone_even_if_it_was_open_before(tmp_path: Path) -> None:
    root = tmp_path / "open"
    root.mkdir(mode=0o755)
    home = Home(root).make()
    home.record({"ready": True})
    home.secret("role")
    assert [mode(each) for each in (root, home.keys, home.logs, home.temporal)] == [0o700] * 4
    assert [mode(each) for each in (home.state_file, home.keys / "role.password")] == [0o600] * 2


def test_the_master_key_is_made_once_and_kept(tmp_path: Path) -> None:
    home = Home(tmp_path / "h").make()
    settings = Settings.read({})
    assert home.master_key(settings) == home.master_key(settings)
    assert len(home.master_key(settings)) == 32
    assert mode(home.keys / "master.key") == 0o600


def test_a_master_key_from_the_environment_is_used_and_not_kept(tmp_path: Path) -> None:
    home = Home(tmp_path / "h").make()
    given = base64.b64encode(bytes(range(32))).decode()
    assert home.master_key(Settings.read({"AWDA_MASTER_KEY": given})) == bytes(range(32))
    assert not (home.keys / "master.key").exists()


@pytest.mark.parametrize("given", ["short", base64.b64encode(b"x" * 31).decode(), "!" * 44])
def test_a_master_key_of_another_size_is_refused_without_showing_it(tmp_path: Path, given: str) -> None:
    with pytest.raises(InvalidSettingError, match="AWDA_MASTER_KEY") as refused:
        Home(tmp_path / "h").make().master_key(Settings.read({"AWDA_MASTER_KEY": given}))
    assert given not in str(refused.value)


def test_a_home_is_locked_by_one_launcher(tmp_path: Path) -> None:
    home = Home(tmp_path / "h").make()
    with home.locked(), pytest.raises(AlreadyRunningError), home.locked():
        pass
    with home.locked():
        pass


def test_an_incomplete_state_file_counts_as_empty(tmp_path: Path) -> None:
    home = Home(tmp_path / "h").make()
    home.state_file.write_text('{"launcher": {"pid"')
    assert home.state() == {}


def test_a_later_process_with_the_same_pid_is_another_process() -> None:
    ours = Running.of(os.getpid())
    assert ours
    assert ours.process
    assert Running(ours.pid, ours.started - 60).process is None
