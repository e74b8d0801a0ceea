import Glibc

/// A user of this machine.
struct Account: Equatable, Sendable {
    let name: String
    let user: uid_t
    let group: gid_t

    /// The account of that name; `nil` when there is none.
    static func named(_ name: String) -> Account? {
        guard let entry = unsafe getpwnam(name) else { return nil }
        return unsafe Account(name: name, user: entry.pointee.pw_uid, group: entry.pointee.pw_gid)
    }

    /// Whether this process may become, and give files to, any account.
    static var isRoot: Bool { geteuid() == 0 }

    /// Whether the account may pass through all of these folders, by the permission bits alone.
    func canPass(_ folders: [Files.Permissions]) -> Bool {
        folders.allSatisfy { folder in
            // Only the first class that applies counts, as in path_resolution(7).
            if folder.user == user { return folder.mode & S_IXUSR != 0 }
            if folder.group == group { return folder.mode & S_IXGRP != 0 }
            return folder.mode & S_IXOTH != 0
        }
    }
}
