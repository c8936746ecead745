# The version and every hash come from the repository's own Cargo.toml and Cargo.lock.
{
  lib,
  stdenv,
  rustPlatform,
  installShellFiles,
}:
let
  manifest = builtins.fromTOML (builtins.readFile ../../Cargo.toml);
in
rustPlatform.buildRustPackage {
  pname = manifest.package.name;
  version = manifest.package.version;
  src = ../..;
  cargoLock.lockFile = ../../Cargo.lock;
  cargoBuildFlags = [
    "--package"
    "goroam"
    "--bin"
    "goroam"
  ];
  # They want a network lab, root and real go commands.
  doCheck = false;
  nativeBuildInputs = [ installShellFiles ];
  postInstall = lib.optionalString (stdenv.buildPlatform.canExecute stdenv.hostPlatform) ''
    $out/bin/goroam man man
    installManPage man/*.1 docs/goroam.toml.5
    install -Dm644 docs/goroam.schema.json -t $out/share/doc/goroam
    for shell in bash zsh fish; do $out/bin/goroam completions $shell >goroam.$shell; done
    installShellCompletion goroam.{bash,zsh,fish}
  '';
  meta = {
    description = manifest.package.description;
    license = with lib.licenses; [
      mit
      asl20
    ];
    mainProgram = "goroam";
    platforms = lib.platforms.unix;
  };
}
