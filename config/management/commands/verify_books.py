from typing import Any

from django.core.management.base import BaseCommand, CommandError

from loyalty.services.books import verify_books


class Command(BaseCommand):
    help = "Prove the ledger: work everything out anew from the facts, and compare."

    def handle(self, *args: Any, **options: Any) -> None:
        findings = verify_books()
        for finding in findings:
            mark = "ok  " if finding.is_clean else "WRONG"
            self.stdout.write(f"{mark} {finding.check.name} ({finding.counted})")
            for row in finding.differences:
                self.stdout.write("     " + " | ".join(str(value) for value in row))
        wrong = sum(not finding.is_clean for finding in findings)
        if wrong:
            raise CommandError(f"{wrong} of {len(findings)} checks found differences.")
        self.stdout.write(f"The books are right: {len(findings)} checks.")
