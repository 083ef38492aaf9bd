"""Questions on a real (pseudo-)terminal."""

from pathlib import Path

from .pseudo_terminal import terminal


def test_a_value_that_is_not_among_the_choices_is_asked_for_again(tmp_path: Path) -> None:
    (tmp_path / "asks.ts").write_text(
        'export const agent = (input, chidori) => chidori.input("Colour?", { choices: ["red", "blue"] });'
    )
    with terminal(tmp_path, "run", "asks.ts") as screen:
        screen.read_until("choices: red, blue\n> ")
        screen.type("green\n")
        screen.read_until("'green' is not among the choices: red, blue\n> ")
        screen.type("blue\n")
        assert screen.wait() == 0
        assert screen.shown.endswith('"blue"\n')


def test_an_empty_line_takes_the_default_and_questions_come_one_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "asks.ts").write_text(
        "export const agent = (input, chidori) =>"
        ' Promise.all([chidori.input("First?", { default: "1st" }), chidori.input("Second?")]);'
    )
    with terminal(tmp_path, "run", "asks.ts", "-q") as screen:
        screen.read_until("First?\n  default: 1st\n> ")
        assert "Second?" not in screen.shown
        screen.type("\n")
        screen.read_until("Second?\n> ")
        screen.type("two\n")
        assert screen.wait() == 0
        assert screen.shown.endswith('[\n  "1st",\n  "two"\n]\n')


def test_the_end_of_input_pauses_the_run(tmp_path: Path) -> None:
    (tmp_path / "asks.ts").write_text('export const agent = (input, chidori) => chidori.input("Name?");')
    with terminal(tmp_path, "run", "asks.ts") as screen:
        screen.read_until("Name?\n> ")
        screen.type("\x04")
        assert screen.wait() == 3
        assert "--answer 1=TEXT" in screen.shown


def test_a_terminal_may_approve_all_calls_of_a_target(tmp_path: Path) -> None:
    (tmp_path / "remembers.ts").write_text(
        "export async function agent(input, chidori) {\n"
        '  await chidori.memory("set", "a", 1);\n'
        '  await chidori.memory("set", "b", 2);\n'
        '  return chidori.memory("list");\n'
        "}\n"
    )
    policy = '{"rules": [{"target": "memory", "decision": "ask_before"}]}'
    with terminal(tmp_path, "run", "remembers.ts", CHIDORI_POLICY=policy) as screen:
        screen.read_until("choices: yes, all, no\n> ")
        assert '"key":"a"' in screen.shown
        screen.type("all\n")
        assert screen.wait() == 0
        assert screen.shown.count("choices: yes, all, no") == 1


def test_control_c_leaves_a_run_that_asks_resumable_and_the_terminal_usable(tmp_path: Path) -> None:
    (tmp_path / "asks.ts").write_text('export const agent = (input, chidori) => chidori.input("Name?");')
    with terminal(tmp_path, "run", "asks.ts") as screen:
        screen.read_until("Name?\n> ")
        screen.type("\x03")
        assert screen.wait() == 130
        assert "Interrupted. Continue with: chidori resume asks.ts " in screen.shown
    run_id = screen.shown.split("run ", 1)[1].split()[0]
    with terminal(tmp_path, "resume", "asks.ts", run_id) as screen:
        screen.read_until("Name?\n> ")
        screen.type("Ada\n")
        assert screen.wait() == 0


def test_what_is_under_way_is_shown_with_its_elapsed_time(tmp_path: Path) -> None:
    (tmp_path / "waits.ts").write_text(
        "export const agent = () => new Promise((resolve) => setTimeout(resolve, 600_000));"
    )
    with terminal(tmp_path, "run", "waits.ts") as screen:
        screen.read_until("#1 timer …\n")
        screen.read_until("#1 timer 1s")
        screen.type("\x03")
        assert screen.wait() == 130
        assert "\x1b[?25h" in screen.shown  # the cursor is back


def test_an_agent_cannot_write_control_sequences_to_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "asks.ts").write_text(
        'export const agent = (input, chidori) => chidori.input("\\x1b[2JName?", { default: "x" });'
    )
    with terminal(tmp_path, "run", "asks.ts") as screen:
        screen.read_until("[2JName?\n")
        assert "\x1b[2J" not in screen.shown
        screen.type("\n")
        assert screen.wait() == 0
