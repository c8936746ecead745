// What the tests under Wine need a Windows program for that no Windows has.
//   hold FILE SHARE MARK   opens FILE as SHARE says (1 read, 2 write, 4 delete), makes MARK, lets
//                          go when MARK is removed
//   pipe COUNT             connects COUNT times to this user's goroam pipe; one line each: who
//                          owns it and who may open it, as SDDL; exit 2: there is no such pipe
//   sid                    this user's security identifier
//   count NAME             how many programs of this name run; Wine's tasklist says nothing
//   sleep MILLISECONDS     does nothing for so long
//   press MARK LINE        runs LINE, presses Ctrl-C on its console when MARK is there, ends as LINE
//                          does
#include <windows.h>
#include <aclapi.h>
#include <sddl.h>
#include <tlhelp32.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

static wchar_t *own_sid(void) {
    HANDLE token;
    static BYTE user[1024];
    DWORD size = sizeof user;
    wchar_t *text = NULL;
    OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token);
    GetTokenInformation(token, TokenUser, user, size, &size);
    ConvertSidToStringSidW(((TOKEN_USER *)user)->User.Sid, &text);
    return text;
}

static int hold(wchar_t **argv) {
    HANDLE file = CreateFileW(argv[2], GENERIC_READ, _wtoi(argv[3]), NULL, OPEN_EXISTING, 0, NULL);
    HANDLE mark;
    if (file == INVALID_HANDLE_VALUE) return (int)GetLastError();
    mark = CreateFileW(argv[4], GENERIC_WRITE, 7, NULL, CREATE_ALWAYS, 0, NULL);
    if (mark == INVALID_HANDLE_VALUE) return (int)GetLastError();
    CloseHandle(mark);
    while (GetFileAttributesW(argv[4]) != INVALID_FILE_ATTRIBUTES) Sleep(1);
    CloseHandle(file);
    return 0;
}

static int pipes(int count) {
    wchar_t name[300], *sddl;
    int i;
    swprintf(name, 300, L"\\\\.\\pipe\\goroam-%ls", own_sid());
    for (i = 0; i < count; i++) {
        HANDLE pipe;
        PSECURITY_DESCRIPTOR found;
        DWORD error, what = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
        while ((pipe = CreateFileW(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL)) == INVALID_HANDLE_VALUE) {
            if ((error = GetLastError()) != ERROR_PIPE_BUSY) return error == ERROR_FILE_NOT_FOUND ? 2 : (int)error;
            WaitNamedPipeW(name, 1000);
        }
        // The handle is kept: the next one is another instance.
        if ((error = GetSecurityInfo(pipe, SE_KERNEL_OBJECT, what, NULL, NULL, NULL, NULL, &found))) return (int)error;
        if (!ConvertSecurityDescriptorToStringSecurityDescriptorW(found, SDDL_REVISION_1, what, &sddl, NULL)) return (int)GetLastError();
        printf("%ls\n", sddl);
    }
    return 0;
}

static int count(wchar_t *name) {
    HANDLE all = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    PROCESSENTRY32W one = {sizeof one};
    BOOL more;
    int found = 0;
    if (all == INVALID_HANDLE_VALUE) return (int)GetLastError();
    for (more = Process32FirstW(all, &one); more; more = Process32NextW(all, &one)) found += !_wcsicmp(one.szExeFile, name);
    return printf("%d\n", found) < 0;
}

static int press(wchar_t **argv) {
    STARTUPINFOW start = {sizeof start};
    PROCESS_INFORMATION child;
    DWORD code = 0;
    if (!CreateProcessW(NULL, argv[3], NULL, NULL, TRUE, 0, NULL, NULL, &start, &child)) return 101;
    while (GetFileAttributesW(argv[2]) == INVALID_FILE_ATTRIBUTES) Sleep(1);
    SetConsoleCtrlHandler(NULL, TRUE);
    if (!GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0)) return 102;
    WaitForSingleObject(child.hProcess, INFINITE);
    GetExitCodeProcess(child.hProcess, &code);
    return (int)code;
}

int wmain(int argc, wchar_t **argv) {
    if (argc == 5 && !wcscmp(argv[1], L"hold")) return hold(argv);
    if (argc == 3 && !wcscmp(argv[1], L"pipe")) return pipes(_wtoi(argv[2]));
    if (argc == 2 && !wcscmp(argv[1], L"sid")) return printf("%ls\n", own_sid()) < 0;
    if (argc == 3 && !wcscmp(argv[1], L"count")) return count(argv[2]);
    if (argc == 3 && !wcscmp(argv[1], L"sleep")) return Sleep(_wtoi(argv[2])), 0;
    if (argc == 4 && !wcscmp(argv[1], L"press")) return press(argv);
    return 100;
}
