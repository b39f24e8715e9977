// swift-tools-version: 6.0
import PackageDescription

let package = Package(
    name: "change-password-client",
    platforms: [.iOS(.v15), .macOS(.v12)],
    products: [.library(name: "ChangePassword", targets: ["ChangePassword"])],
    targets: [
        .target(name: "ChangePassword"),
        .testTarget(name: "ChangePasswordTests", dependencies: ["ChangePassword"]),
    ],
    swiftLanguageModes: [.v6]
)
