import sys
import unittest

from stillpoint_guest.printable import printable


class TextOfOthers(unittest.TestCase):
    def test_what_can_be_printed_stays_as_it_is(self) -> None:
        for text in ("", "postgresql:15/main", "Käse 数据库 \U0001f418", "C:\\data", "a b"):
            self.assertEqual(printable(text, 100), text)

    def test_what_acts_on_a_terminal_or_ends_a_line_is_written_out(self) -> None:
        written = {
            "\x1b]0;title\x07": r"\x1b]0;title\x07",
            "\x9b2J\x7f\0": r"\x9b2J\x7f\x00",
            "a\r\n\tb": r"a\x0d\x0a\x09b",
            "\u2028\u202e\u200b": r"\u2028\u202e\u200b",
            "\U000e0001": r"\U000e0001",
        }
        for text, shown in written.items():
            self.assertEqual(printable(text, 100), shown)

    def test_bytes_that_are_no_letter_are_told_and_can_be_encoded(self) -> None:
        read = b"/mnt/\xff".decode(errors="surrogateescape")
        self.assertEqual(printable(read, 100), r"/mnt/\xff")
        self.assertEqual(printable("\ud800", 100), r"\ud800")
        for number in range(0, sys.maxunicode, 97):
            self.assertTrue(printable(chr(number), 10).encode().decode().isprintable())

    def test_its_length_counts_bytes_and_nothing_is_cut_in_its_middle(self) -> None:
        self.assertEqual(printable("x" * 10, 10), "x" * 10)
        self.assertEqual(printable("x" * 11, 10), "x" * 7 + "...")
        self.assertEqual(printable("ä" * 6, 10), "äää...")
        self.assertEqual(printable("xx\x1b\x1b\x1b", 10), r"xx\x1b...")
        self.assertEqual(printable("\U0001f418" * 5, 3), "...")
        for letter in ("x", "ä", "\x1b", "\udcff", "\U0001f418", "\U000e0001"):
            for most_bytes in range(3, 40):
                shown = printable(letter * 1000000, most_bytes)
                self.assertLessEqual(len(shown.encode()), most_bytes)


if __name__ == "__main__":
    unittest.main()
