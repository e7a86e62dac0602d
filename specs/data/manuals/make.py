"""Writes the two manuals beside it, a page of plain text for each part. `python specs/data/manuals/make.py`."""

from __future__ import annotations

from pathlib import Path

MANUALS = {
    "kettle": [
        ["Kettle K2", "Fill it with 0.5 to 1.7 litres of water.", "The lamp glows blue while it heats."],
        ["Care", "Remove lime once a month with vinegar.", "Never put the base into water.", "Guarantee: two years."],
    ],
    "lamp": [
        ["Lamp L7", "It takes bulbs of at most 9 watts.", "Turn the knob to the right for more light."],
        ["Care", "Let it cool for ten minutes before cleaning.", "Use a dry cloth.", "Guarantee: five years."],
        ["Spare parts", "Shade: order number L7-2.", "Knob: order number L7-3."],
    ],
}


def pdf(pages: list[list[str]]) -> bytes:
    """A PDF 1.4 with one font (PDF 32000-1:2008, 7.5 and 9.4)."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for n, lines in enumerate(pages):
        text = " ".join(f"({line}) Tj T*" for line in lines)
        stream = f"BT /F1 18 Tf 24 TL 60 760 Td {text} ET"
        resources = "/Resources << /Font << /F1 3 0 R >> >>"
        objects.append(f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] {resources} /Contents {5 + 2 * n} 0 R >>")
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    body, places = "%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(objects) + 1
    xref = f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n<< /Size {size} /Root 1 0 R >>\n"
    return f"{body}{xref}startxref\n{len(body)}\n%%EOF\n".encode("ascii")


def main() -> None:
    for name, pages in MANUALS.items():
        Path(__file__).with_name(f"{name}.pdf").write_bytes(pdf(pages))


if __name__ == "__main__":
    main()
