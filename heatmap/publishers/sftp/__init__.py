"""SFTP, by OpenSSH's own client."""
