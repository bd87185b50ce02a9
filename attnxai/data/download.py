"""Fetching data sets into the user's cache, with their checksums (by pooch)."""

from __future__ import annotations

from pathlib import Path

from attnxai.errors import DataSetError


def cache_folder() -> Path:
    """Folder in which fetched data are kept."""
    import pooch

    return Path(pooch.os_cache("attnxai"))


def fetch_mirabest(folder: str | Path | None = None, *, progress: bool = True) -> Path:
    """Fetch the MiraBest archive, or find it in the cache (``folder``), and check it.

    A DataSetError says if it cannot be reached or has another checksum than the published one.
    """
    import pooch
    from pooch import HTTPDownloader
    from rich.progress import Progress

    from attnxai.data.mirabest import ARCHIVE_MD5, ARCHIVE_NAME, ARCHIVE_URL

    target = Path(folder) if folder is not None else cache_folder()
    try:
        with Progress(disable=not progress, transient=True) as bar:
            task = bar.add_task(f"Fetching {ARCHIVE_NAME}", total=None)
            downloader = HTTPDownloader(timeout=60)
            path = pooch.retrieve(
                ARCHIVE_URL,
                known_hash=f"md5:{ARCHIVE_MD5}",
                fname=ARCHIVE_NAME,
                path=target,
                downloader=downloader,
            )
            bar.update(task, completed=1, total=1)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DataSetError(
            f"{ARCHIVE_NAME} could not be fetched from {ARCHIVE_URL} ({reason}); fetch it by other "
            f"means, put it into a folder and name that with data_dir"
        ) from error
    return Path(path)
