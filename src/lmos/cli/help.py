"""The look of `--help`: titles and two columns, no frames. cyclopts calls it; rich is loaded when help is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cyclopts.help import HelpPanel
    from rich.console import Console, ConsoleOptions

__all__ = ["Frameless"]


class Frameless:
    """cyclopts' `HelpFormatter`: each panel as a bold title over its entries."""

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        from cyclopts.help import DescriptionRenderer
        from rich.table import Table
        from rich.text import Text

        describe = DescriptionRenderer()
        grid = Table.grid(padding=(0, 3, 0, 0), pad_edge=False)
        grid.add_column(no_wrap=True)
        grid.add_column()
        for entry in panel.entries:
            labels = entry.display_labels_with_metavar
            grid.add_row(Text("  ").append(" ".join(labels), "cyan"), describe(entry))
        if panel.entries:
            console.print(Text(f"{panel.title}:", "bold"))
            console.print(grid)
            console.print()

    def render_usage(self, console: Console, options: ConsoleOptions, usage: Any) -> None:
        from rich.text import Text

        console.print(Text("Usage: ", "bold").append(str(usage).strip()), end="\n\n")

    def render_description(self, console: Console, options: ConsoleOptions, description: Any) -> None:
        console.print(description)
