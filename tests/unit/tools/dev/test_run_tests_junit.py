"""Results of tests as JUnit XML."""

from xml.etree import ElementTree as ET

from router.tools.dev.compare import Difference
from router.tools.dev.junit import as_junit
from router.tools.dev.run_tests import Verdict

FAILED = Verdict("r", 'a "<b>" & \x00', (Difference("x", 1, 2), Difference("y", 1, 2)))


def test_the_structure() -> None:
    """There are suites with counts and times, a case for each test, and a failure with the differences if it failed."""
    content = as_junit([(Verdict("r", "good"), 0.5, ""), (FAILED, 0.25, "x\x1b 1 2"), (Verdict("s", "t"), 0.0, "")])

    root = ET.fromstring(content)
    reported = [(each.tag, dict(each.attrib), (each.text or "").strip()) for each in root.iter()]
    assert reported == [
        ("testsuites", {"name": "router test", "tests": "3", "failures": "1", "errors": "0", "time": "0.750000"}, ""),
        (
            "testsuite",
            {"name": "r", "tests": "2", "failures": "1", "errors": "0", "skipped": "0", "time": "0.750000"},
            "",
        ),
        ("testcase", {"classname": "r", "name": "good", "time": "0.500000"}, ""),
        ("testcase", {"classname": "r", "name": 'a "<b>" & �', "time": "0.250000"}, ""),
        ("failure", {"message": "2 differences: x, y", "type": "difference"}, "x� 1 2"),
        (
            "testsuite",
            {"name": "s", "tests": "1", "failures": "0", "errors": "0", "skipped": "0", "time": "0.000000"},
            "",
        ),
        ("testcase", {"classname": "s", "name": "t", "time": "0.000000"}, ""),
    ]
